"""What a passkey proves: sign-in without a password, the second step, that it is still you."""

from dataclasses import dataclass
from typing import Any, Unpack
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.auth import second_factors, sign_in
from app.auth.dependencies import From
from app.auth.schemas import SignedIn
from app.auth.settings import public_url
from app.core.clock import now
from app.core.crypto import same
from app.core.db import transaction
from app.core.errors import Unauthorized
from app.core.logging import log
from app.mail import service as mail
from app.passkeys import challenges
from app.passkeys.challenges import Known, PasskeyRefused, Purpose
from app.passkeys.models import Passkey, PasskeyHandle
from app.passkeys.schemas import Assertion
from app.passkeys.service import KIND
from app.users import service as users
from app.users.models import User


class WrongPasskey(Unauthorized):
    """One sentence for every reason, so that it tells nothing of who has which passkey."""

    def __init__(self) -> None:
        super().__init__("This passkey is not accepted here. Use another one, or another way.")


class PasskeyCopied(Unauthorized):
    def __init__(self) -> None:
        super().__init__(
            "There seems to be a copy of this passkey, so it is not accepted any more."
            " We have written to you."
        )


@dataclass(frozen=True)
class _Found:
    """A passkey with whom it belongs to."""

    id: UUID
    public_key: bytes
    handle: bytes
    user_id: UUID
    email: str
    display_name: str


async def options(purpose: Purpose, browser: str, person: Person | None = None) -> dict[str, Any]:
    """What the browser needs to ask for a passkey: one of this person's, or any."""
    from app.passkeys import ceremonies

    async with transaction(elevated=True) as db:
        challenge = await challenges.new(db, purpose, browser)
        have = await _usable(db, person.user_id) if person else []
    return ceremonies.to_get(challenge, have)


async def _usable(db: AsyncSession, user_id: UUID) -> list[Known]:
    rows = await db.execute(
        select(Passkey.credential_id, Passkey.transports)
        .where(Passkey.user_id == user_id, Passkey.copied_at.is_(None))
        .order_by(Passkey.last_used_at.desc().nulls_last(), Passkey.id)
    )
    return [Known(*row) for row in rows]


async def begin_session(answer: Assertion, browser: str, **where_from: Unpack[From]) -> SignedIn:
    """Sign in without a password: the device and its owner's face or PIN are two factors.

    Raises `WrongPasskey`, `PasskeyCopied`, or what stands against a session of this person.
    """
    found = await _check(answer, "sign-in", browser)
    return await sign_in.start_session(
        found.user_id,
        email=found.email,
        method=KIND,
        second_factor=True,
        factor=KIND,
        **where_from,
    )


async def finish_sign_in(person: Person, answer: Assertion, browser: str) -> SignedIn:
    """The second step after the password."""
    await _check(answer, "second-factor", browser, person)
    async with transaction(elevated=True) as db:
        return await second_factors.finish(db, person, KIND)


async def prove_again(person: Person, answer: Assertion, browser: str) -> str:
    """Instead of the password before a sensitive action; the session gets a new token."""
    await _check(answer, "confirm", browser, person)
    async with transaction(elevated=True) as db:
        return await second_factors.proved(db, person, KIND)


async def _check(
    answer: Assertion, purpose: Purpose, browser: str, person: Person | None = None
) -> _Found:
    """Whose passkey signed our challenge, in this browser, for this purpose, just now."""
    from app.passkeys import ceremonies

    challenge = ceremonies.challenge_in(answer)
    async with transaction(elevated=True) as db:
        await challenges.use(db, challenge, purpose, browser)
        found = await _find(db, ceremonies.credential_id(answer))
    count = _counter(answer, challenge, found, person) if found else None
    if found is None or count is None:
        await _note_failure(found)
        raise WrongPasskey
    async with transaction(elevated=True) as db:
        grown = await _count(db, found, count)
        if not grown:
            await _lock(db, found)
    if not grown:
        raise PasskeyCopied
    return found


async def _find(db: AsyncSession, credential_id: bytes) -> _Found | None:
    row = (
        await db.execute(
            select(
                Passkey.id,
                Passkey.public_key,
                PasskeyHandle.handle,
                User.id.label("user_id"),
                User.email,
                User.display_name,
            )
            .join(PasskeyHandle, PasskeyHandle.user_id == Passkey.user_id)
            .join(User, User.id == Passkey.user_id)
            .where(Passkey.credential_id == credential_id, Passkey.copied_at.is_(None))
            .where(User.activated_at.is_not(None))
        )
    ).one_or_none()
    return _Found(**row._mapping) if row else None


def _counter(
    answer: Assertion, challenge: bytes, found: _Found, person: Person | None
) -> int | None:
    """The counter that came with the signature; None when anything is wrong."""
    from app.passkeys import ceremonies

    if person and person.user_id != found.user_id:
        return None
    try:
        handle = ceremonies.handle_in(answer)
        # An authenticator that was asked for certain passkeys may leave the handle out.
        if not (same(handle, found.handle) if handle or person is None else True):
            return None
        return ceremonies.counter_of(answer, challenge, found.public_key)
    except PasskeyRefused:
        return None


async def _count(db: AsyncSession, found: _Found, count: int) -> bool:
    """Whether the counter has grown; one that is always 0 is none."""
    counts = Passkey.sign_count < count
    if count == 0:
        counts = Passkey.sign_count == 0
    grown = await db.scalar(
        update(Passkey)
        .where(Passkey.id == found.id, Passkey.copied_at.is_(None), counts)
        .values(sign_count=count, last_used_at=now())
        .returning(Passkey.id)
    )
    return grown is not None


async def _lock(db: AsyncSession, found: _Found) -> None:
    """Two devices count with one key: which of them is the person's own nobody can tell."""
    locked = await db.scalar(
        update(Passkey)
        .where(Passkey.id == found.id, Passkey.copied_at.is_(None))
        .values(copied_at=now())
        .returning(Passkey.name)
    )
    if locked is None:  # removed or locked a moment ago
        return
    log.warning("passkey.copied")
    await audit.record(
        db,
        "passkey.copy_suspected",
        organization_id=await users.organization_of(db, found.user_id),
        user_id=found.user_id,
        target=found.id,
    )
    await mail.send(
        db,
        found.email,
        "passkeys/copied",
        name=found.display_name,
        passkey=locked,
        link=public_url("/account/security"),
    )


async def _note_failure(found: _Found | None) -> None:
    async with transaction(elevated=True) as db:
        await audit.record(
            db,
            "sign-in.failed",
            organization_id=await users.organization_of(db, found.user_id) if found else None,
            user_id=found.user_id if found else None,
            detail={"method": KIND},
        )
    log.info("sign-in.failed")
