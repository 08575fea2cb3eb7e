"""Sessions by tokens: begin them with a password, and go on with a refresh token.

A refresh token works once. Whoever comes with a used one has a copy of it, or the other one has:
the session ends for both. Only for some seconds after its use it gives the same successor again,
so that two requests of one program at the same time are no theft.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from secrets import token_bytes
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.models import Session
from app.access.person import Person, person_of
from app.audit import service as audit
from app.auth import second_factors, sign_in, totp
from app.auth.schemas import Proof, SignedIn
from app.core.clock import now
from app.core.crypto import digest
from app.core.db import transaction
from app.core.errors import Forbidden, Invalid, Unauthorized
from app.limits.service import Claim
from app.mail import links
from app.mail import service as mail
from app.modules import parts
from app.tokens import signed
from app.tokens.models import TokenSession
from app.tokens.settings import TokensSettings

OPEN = text("SELECT * FROM open_session(digest_of_token_session(:session))")


class InvalidRefreshToken(Unauthorized):
    def __init__(self) -> None:
        super().__init__("This refresh token is not valid, or not any more; sign in again.")


class OnlyForPrograms(Forbidden):
    pass


class NotByCode(Invalid):
    def __init__(self) -> None:
        detail = "This is no second factor that a code finishes."
        super().__init__(detail, errors={"method": detail})


@dataclass(frozen=True)
class Issued:
    """What a program gets; half-way through sign-in no refresh token."""

    level: str
    session_id: UUID
    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str | None = field(repr=False)
    second_factors: tuple[str, ...] = ()


async def begin(email: str, password: str, claim: Claim, *, device: str, address: str) -> Issued:
    """First step: the password, with the limits and the records of every sign-in."""
    started = await sign_in.sign_in(
        email, password, claim, device=None, address=address, user_agent=device
    )
    return await _issue(started)


async def finish(person: Person, method: str, code: str) -> Issued:
    """Second step, with a code: of the app, a recovery code, or a factor's of another module.

    Raises `NotByCode` for what is none.
    """
    by_code = {
        "totp": totp.finish_sign_in,
        "recovery_code": second_factors.finish_with_recovery_code,
    } | {
        part.FACTOR.kind: part.finish_sign_in
        for part in parts("factor")
        if hasattr(part, "finish_sign_in")
    }
    if method not in by_code:
        raise NotByCode
    return await _issue(await by_code[method](person, code))


async def prove_again(person: Person, form: Proof) -> Issued:
    """Password, and code when there is a second factor: new tokens, for a session that rose.

    Those before are dead. Raises `OnlyForPrograms` for who asks with a cookie.
    """
    if not person.by_token:
        raise OnlyForPrograms("This is for programs; a browser sends it to /api/auth/prove-again.")
    # Its token goes back to the program and into no cookie.
    token = await sign_in.prove(replace(person, by_token=False), form)
    return await _issue(SignedIn(token, "full", None))


async def _issue(started: SignedIn) -> Issued:
    """Make the session that just began one by tokens; as a cookie it opens nothing any more."""
    settings, moment = TokensSettings.load(), now()
    change: dict[str, object] = {"token_digest": token_bytes(32)}
    if started.level == "full":
        change |= {
            "idle_seconds": settings.idle_minutes * 60,
            "expires_at": moment + timedelta(hours=settings.absolute_hours),
        }
    async with transaction(elevated=True) as db:
        query = update(Session).where(Session.token_digest == digest(started.token))
        session = (await db.scalars(query.values(**change).returning(Session))).one()
        db.add(TokenSession(session_id=session.id, counter=0))
    return _issued(session.id, started.level, 0, started.second_factors)


def _issued(session_id: UUID, level: str, counter: int, factors: tuple[str, ...] = ()) -> Issued:
    lifetime = TokensSettings.load().access_minutes * 60
    return Issued(
        level=level,
        session_id=session_id,
        access_token=signed.sign("at", session_id, int(now().timestamp()) + lifetime),
        expires_in=lifetime,
        refresh_token=signed.sign("rt", session_id, counter) if level == "full" else None,
        second_factors=factors,
    )


async def refresh(token: str) -> Issued:
    """New tokens for a refresh token. Raises `InvalidRefreshToken`."""
    found = signed.read("rt", token)
    if found is None:
        raise InvalidRefreshToken
    session_id, number = found
    async with transaction(elevated=True) as db:
        counter = await _next(db, session_id, number)
    if counter is None:
        raise InvalidRefreshToken
    return _issued(session_id, "full", counter)


async def _next(db: AsyncSession, session_id: UUID, number: int) -> int | None:
    """The number that follows; None ends it, with the session when the number was used before."""
    age = func.extract("epoch", func.clock_timestamp() - TokenSession.rotated_at)
    query = select(TokenSession.counter, age.label("age"))
    # Of several at once one rotates; the others wait here and see that it did.
    locked = query.where(TokenSession.session_id == session_id).with_for_update()
    row = (await db.execute(locked)).one_or_none()
    person = person_of((await db.execute(OPEN, {"session": session_id})).one_or_none())
    if row is None or person is None or person.level != "full" or number > row.counter:
        return None
    if number == row.counter:
        await db.execute(
            update(TokenSession)
            .where(TokenSession.session_id == session_id)
            .values(counter=TokenSession.counter + 1, rotated_at=func.clock_timestamp())
        )
        return number + 1
    if number == row.counter - 1 and row.age < TokensSettings.load().grace_seconds:
        return int(row.counter)
    await _end_stolen(db, person)
    return None


async def _end_stolen(db: AsyncSession, person: Person) -> None:
    await db.execute(
        update(Session).where(Session.id == person.session_id).values(revoked_at=now())
    )
    await mail.send(
        db,
        person.email,
        "tokens/reused",
        name=person.display_name,
        link=links.to("/account/security", api="/api/auth/sessions"),
    )
    await audit.record(db, "token.reused", person=person, target=person.session_id)
