"""Sign in, connect, or prove it again by way of a provider; and what is connected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.person import Person
from app.audit import service as audit
from app.auth import second_factors, sign_in
from app.auth.models import Password
from app.auth.schemas import SignedIn
from app.auth.settings import public_url
from app.core.db import transaction
from app.core.errors import Conflict, Forbidden, NotFound, Unauthorized
from app.core.logging import log
from app.mail import service as mail
from app.modules import parts
from app.sso import accounts, attempts, claims, providers
from app.sso.attempts import Attempt, Purpose
from app.sso.id_tokens import SignInRefused
from app.sso.models import SsoIdentity
from app.sso.providers import Provider
from app.sso.sign_in_method import METHOD
from app.users.models import User


class ConnectedElsewhere(Conflict):
    pass


class LastWayIn(Conflict):
    pass


class NoOrganization(Forbidden):
    pass


class NotSignedIn(Unauthorized):
    pass


class NotAllowedThere(SignInRefused):
    """The person said no at the provider, or the provider did."""


@dataclass(frozen=True)
class Leaving:
    """Where the browser goes, and what its cookie keeps meanwhile."""

    address: str
    browser: str


@dataclass(frozen=True)
class Returned:
    """What came of it: where to go on, and the session's new token if there is one."""

    purpose: str
    next_path: str
    started: SignedIn | None


@dataclass(frozen=True)
class Connection:
    id: UUID
    provider: str
    label: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None


async def leave(
    name: str,
    purpose: Purpose,
    *,
    browser: str | None,
    next_path: str,
    person: Person | None = None,
) -> Leaving:
    """Note that a browser goes to a provider. Raises `ProviderUnavailable`."""
    provider = providers.get(name)
    if purpose == "confirm" and provider.github:
        raise NotFound("GitHub cannot be asked to check again who you are.")
    attempt = await attempts.begin(
        provider,
        purpose,
        browser=browser,
        next_path=next_path,
        user_id=person.user_id if person else None,
    )
    return Leaving(await claims.authorization_url(provider, attempt), attempt.browser)


async def come_back(
    name: str,
    *,
    state: str,
    browser: str | None,
    code: str | None,
    error: str | None,
    issuer: str | None,
    person: Person | None,
    address: str,
    user_agent: str,
    device: str | None,
    replaces: str | None,
) -> Returned:
    """What a provider sent the browser back with. `person` is who is signed in, if anybody is."""
    provider = providers.get(name)
    attempt = await attempts.take(provider, state, browser)
    if error is not None or not code:
        raise NotAllowedThere(provider, "error in the answer")
    confirming = attempt.purpose == "confirm"
    since = attempt.begun_at.timestamp() if confirming else None
    vouched = await claims.redeem(provider, attempt, code, issuer=issuer, since=since)
    if attempt.purpose == "sign_in":
        async with transaction(elevated=True) as db:
            user = await accounts.find(db, provider, vouched)
        try:
            started = await sign_in.start_session(
                user.id,
                email=user.email,
                method=METHOD,
                address=address,
                user_agent=user_agent,
                device=device,
                replaces=replaces,
                second_factor=vouched.second_factor,
                factor=METHOD if vouched.second_factor else None,
            )
        except sign_in.WrongCredentials as error:
            raise NoOrganization("Your account belongs to no organisation any more.") from error
        return Returned(attempt.purpose, attempt.next_path, started)
    same_person = _of(attempt, person)
    if attempt.purpose == "link":
        await _link(provider, vouched, same_person)
        return Returned(attempt.purpose, attempt.next_path, None)
    token = await _prove(provider, vouched, same_person)
    return Returned(attempt.purpose, attempt.next_path, SignedIn(token, "full", None))


def _of(attempt: Attempt, person: Person | None) -> Person:
    """The person who began it, still signed in in this browser."""
    if person is None or person.level != "full" or person.user_id != attempt.user_id:
        raise NotSignedIn("Sign in first, then start again.")
    return person


async def _link(provider: Provider, vouched: claims.Vouched, person: Person) -> None:
    async with transaction(elevated=True) as db:
        # Two at once would both see that nobody has it.
        key = func.hashtext(f"{vouched.issuer} {vouched.subject}")
        await db.execute(select(func.pg_advisory_xact_lock(8082, key)))
        owner = await accounts.connected_to(db, vouched)
        if owner == person.user_id:
            return
        if owner is not None:
            raise ConnectedElsewhere(
                f"This account at {provider.label} is connected to another account here."
            )
        await accounts.connect(db, provider, vouched, await db.get_one(User, person.user_id))


async def _prove(provider: Provider, vouched: claims.Vouched, person: Person) -> str:
    async with transaction(elevated=True) as db:
        if await accounts.connected_to(db, vouched) != person.user_id:
            raise SignInRefused(provider, "somebody else confirmed")
        # As with the password: alone it is no proof for someone with a second factor.
        if await second_factors.kinds(db, person.user_id) and not vouched.second_factor:
            raise SignInRefused(provider, "no second factor")
        token, _ = await sessions.rotate(db, person, proved=True)
        await audit.record(db, "identity.proved", person=person, detail={"provider": provider.name})
    return token


async def needs_more(person: Person) -> bool:
    """Whether a provider's word alone is no proof, because a second factor is set up here."""
    async with transaction(elevated=True) as db:
        return bool(await second_factors.kinds(db, person.user_id))


async def connections(user_id: UUID) -> Sequence[Connection]:
    """What someone has connected, oldest first."""
    async with transaction(elevated=True) as db:
        rows = await db.scalars(
            select(SsoIdentity).where(SsoIdentity.user_id == user_id).order_by(SsoIdentity.id)
        )
    return [
        Connection(
            id=row.id,
            provider=row.provider,
            label=providers.label_of(row.provider),
            email=row.email,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]


async def disconnect(person: Person, identity_id: UUID) -> None:
    """Remove a connection, and end every other session.

    Raises `NotFound`, or `LastWayIn` when nothing else would sign in.
    """
    async with transaction(elevated=True) as db:
        # Locked, so that two at once cannot each leave the other as the last.
        await db.execute(select(User.id).where(User.id == person.user_id).with_for_update())
        gone = await db.scalar(
            delete(SsoIdentity)
            .where(SsoIdentity.id == identity_id, SsoIdentity.user_id == person.user_id)
            .returning(SsoIdentity)
        )
        if gone is None:
            raise NotFound("No such connection.")
        if not await _another_way(db, person.user_id):
            raise LastWayIn(
                "This is your only way to sign in. Set a password first, by"
                " “Forgot your password?” on the sign-in page."
            )
        # One of them may have begun with it.
        await sessions.end_all(db, person.user_id, but=person.session_id)
        await audit.record(
            db, "identity.disconnected", person=person, detail={"provider": gone.provider}
        )
        await mail.send(
            db,
            person.email,
            "sso/disconnected",
            name=person.display_name,
            provider=providers.label_of(gone.provider),
            link=public_url("/account/security"),
        )
    log.info("sso.disconnected", provider=gone.provider)


async def _another_way(db: AsyncSession, user_id: UUID) -> bool:
    """A password, a provider that is still set up here, or what another module keeps."""
    if await db.scalar(select(Password.id).where(Password.user_id == user_id)):
        return True
    names = [one.name for one in providers.configured()]
    left = select(SsoIdentity.id).where(
        SsoIdentity.user_id == user_id, SsoIdentity.provider.in_(names)
    )
    if await db.scalar(left.limit(1)) is not None:
        return True
    others = [part for part in parts("way_in") if part.__name__ != "app.sso.way_in"]
    return any([await part.has(db, user_id) for part in others])
