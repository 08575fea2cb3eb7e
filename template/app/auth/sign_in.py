"""Signing in, first factor, and proving it again before sensitive actions."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.abuse import seeing
from app.access import service as sessions
from app.access.person import Person
from app.audit import service as audit
from app.auth import attempts, links, notices, passwords, second_factors, totp
from app.auth.models import Password
from app.auth.schemas import Level, Proof, SignedIn
from app.core.db import elevated, transaction
from app.core.errors import Forbidden, Invalid
from app.core.logging import log
from app.limits import lockout
from app.limits.service import Claim
from app.users import entrance
from app.users.entrance import Entrance


class WrongCredentials(Invalid):
    """One sentence for every reason, so that it does not tell who has an account."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            "Wrong address or password, or the account is not activated yet: see your mail."
        )


class ProveOtherwise(Invalid):
    pass


async def sign_in(
    email: str,
    password: str,
    claim: Claim,
    *,
    device: str | None,
    address: str,
    user_agent: str,
    replaces: str | None = None,
) -> SignedIn:
    """Check the password and start a session; the one whose token it `replaces` ends.

    Raises `WrongCredentials`, what `Entrance.enter` raises, or `TooMany` by rate or lockout.
    """
    browser = attempts.Browser(address, user_agent, device, replaces)
    browser, account = await attempts.begin(email, browser, claim)
    good, newer = await passwords.verify(password, account.hash if account else None)
    if account is None or not good:
        raise await _refused(email, browser, account)
    try:
        organization_id = account.entrance.enter()
    except Forbidden:
        await _turned_away(account.entrance, account.user_id, "password")
        raise
    # The password was right; guesses at the second factor have limits of their own.
    started = await attempts.finish(account, organization_id, email, browser, newer=newer)
    if started is None:
        raise await _refused(email, browser, account)
    return started


async def _turned_away(found: Entrance, user_id: UUID, method: str) -> None:
    """Someone proved who they are, and may not enter."""
    async with transaction() as db:
        await audit.record(
            db,
            "sign-in.refused",
            organization_id=found.organization_id,
            user_id=user_id,
            detail={"method": method, "suspended": found.suspended},
        )


async def _refused(
    email: str, browser: attempts.Browser, account: attempts.Account | None
) -> WrongCredentials:
    organization_id = account.entrance.organization_id if account else None
    await lockout.failed(email, browser.device)
    await seeing.sign_in_failed(email, browser.address, browser.device, organization_id)
    # Recorded for unknown logins too, or the time would tell who has an account.
    async with transaction() as db:
        await audit.record(
            db,
            "sign-in.failed",
            organization_id=organization_id,
            user_id=account.user_id if account else None,
        )
    log.info("sign-in.failed")
    return WrongCredentials()


async def start_session(
    user_id: UUID,
    organization_id: UUID | None = None,
    *,
    email: str,
    method: str,
    address: str,
    user_agent: str,
    device: str | None = None,
    replaces: str | None = None,
    level: Level | None = None,
    second_factor: bool = False,
    factor: str | None = None,
) -> SignedIn:
    """A session for someone who just proved who they are by `method`.

    With no organisation it begins in one that lets in this way. `second_factor` says that the
    proof was worth two, and `factor` which the second was; without it whoever has enrolled one is
    asked for it, unless `level` says "full". Raises what `Entrance.enter` does.
    """
    known = lockout.device_name(email, await lockout.known(email, device))
    organization_id = await _entrance(user_id, organization_id, method)
    async with transaction(elevated=True) as db:
        await second_factors.one_at_a_time(db, user_id)
        kinds = await second_factors.kinds(db, user_id)
        if level is None:
            level = "pending" if kinds and not second_factor else "full"
        if level == "full":
            await notices.signed_in(
                db, user_id, device=known, address=address, user_agent=user_agent
            )
        token, session_id = await sessions.start(
            db,
            user_id=user_id,
            organization_id=organization_id,
            level=level,
            method=method,
            second_factor=second_factor,
            factor=factor,
            address=address,
            user_agent=user_agent,
            device=known,
            replaces=replaces,
        )
        await audit.record(
            db,
            "session.started" if level == "full" else "sign-in.first_factor_accepted",
            organization_id=organization_id,
            user_id=user_id,
            target=session_id,
            detail={"method": method},
        )
    new = lockout.new_device(email) if level == "full" else None
    return SignedIn(token, level, new, tuple(kinds))


async def _entrance(user_id: UUID, organization_id: UUID | None, method: str) -> UUID:
    async with transaction(elevated=True) as db:
        found = await entrance.find(db, user_id, method=method, organization_id=organization_id)
    if found is None:
        raise WrongCredentials
    try:
        return found.enter()
    except Forbidden:
        await _turned_away(found, user_id, method)
        raise


async def sign_out(db: AsyncSession, person: Person) -> None:
    async with elevated(db):
        await sessions.end(db, person.user_id, person.session_id)
        if behind := person.impersonation:
            # Whoever signs out means all of it, and the browser forgets both.
            await sessions.end(db, behind.user_id, behind.session_id)
        await audit.record(db, "session.ended", person=person, target=person.session_id)


async def prove(person: Person, form: Proof) -> str:
    """A fresh proof by password and what goes with it; gives the session's new token."""
    password = form.password.get_secret_value()
    if form.method == "recovery_code":
        return await prove_by_recovery_code(person, password, form.code)
    return await prove_again(person, password, form.code)


async def prove_again(person: Person, password: str, code: str | None) -> str:
    """Password, and the code of the app when there is a second factor; gives the new token.

    Who has other factors only proves it by their pages; see `second_factors.proved`.
    """
    await check_password(person, password)
    async with transaction(elevated=True) as db:
        kinds = await second_factors.kinds(db, person.user_id)
    if totp.KIND in kinds:
        await totp.accept(person, code or "")
    elif kinds:
        raise ProveOtherwise("Use your second factor to confirm that it is you.")
    async with transaction(elevated=True) as db:
        token, _ = await sessions.rotate(db, person, proved=True)
        await audit.record(db, "identity.proved", person=person)
    return token


async def prove_by_recovery_code(person: Person, password: str, code: str | None) -> str:
    """For who lost every second factor: one of the ten codes, and the password if there is one."""
    await second_factors.count_try(person)
    if await has_password(person.user_id):
        await check_password(person, password)
    return await second_factors.prove_with_recovery_code(person, code or "")


async def change_password(person: Person, old: str, new: str) -> str:
    """Set a new password, end every other session and reset link; this one gets a new token."""
    passwords.check(new, email=person.email, name=person.display_name)
    await check_password(person, old)
    hashed = await passwords.hash_password(new)
    async with transaction(elevated=True) as db:
        (await _password(db, person.user_id)).hash = hashed
        await links.end_all(db, person.user_id, "reset")
        await sessions.end_all(db, person.user_id, but=person.session_id)
        # The password alone is no proof for someone with a second factor.
        token, _ = await sessions.rotate(db, person, proved=False)
        await audit.record(db, "password.changed", person=person)
        await notices.password_changed(db, person.user_id, person.email, person.display_name)
    return token


async def has_password(user_id: UUID) -> bool:
    """Who came by another way of signing in may have none."""
    async with transaction(elevated=True) as db:
        found = await db.scalar(select(Password.id).where(Password.user_id == user_id))
    return found is not None


async def check_password(person: Person, password: str) -> None:
    """Raises `passwords.WrongPassword`, also for someone who has none."""
    # Counted like a sign-in: a stolen session must not become a way to guess the password.
    key = f"again:{person.user_id}"
    await lockout.check(key, None)
    async with transaction(elevated=True) as db:
        hashed = await db.scalar(select(Password.hash).where(Password.user_id == person.user_id))
    good, _ = await passwords.verify(password, hashed)
    if not good:
        await lockout.failed(key, None)
        async with transaction() as db:
            await audit.record(db, "identity.proof_failed", person=person)
        raise passwords.WrongPassword
    await lockout.succeeded(key, None)


async def _password(db: AsyncSession, user_id: UUID) -> Password:
    return (await db.scalars(select(Password).where(Password.user_id == user_id))).one()
