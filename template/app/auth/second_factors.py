"""Second factors: which kinds someone has, and how a half-way session becomes a full one.

A kind is a module with a `factor.py` that offers FACTOR. It keeps its own tables and checks its
own proofs; here stands who has it, and what follows from a proof. `async def forget(db, user_id)`
there deletes its secrets, when an administrator resets what someone lost, and `finish_sign_in(
person, code)` takes its codes from programs. Recovery codes belong to
the account: they are there as long as one kind is.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.person import Person
from app.audit import service as audit
from app.auth import notices, recovery_codes
from app.auth.models import Password, SecondFactor
from app.auth.schemas import SignedIn
from app.auth.settings import public_url
from app.core.db import transaction
from app.core.errors import Conflict, Invalid
from app.core.ids import uuid7
from app.limits import lockout
from app.limits.service import Rate, take
from app.mail import service as mail
from app.modules import parts
from app.users.models import User

TRIES = (
    Rate(5, 300, strict=True),
    Rate(20, 3600, strict=True),
    Rate(50, 86_400, strict=True),
)
"""For whoever shares a counter: a code has a million values, so guessing must stay hopeless."""


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Factor:
    """What the pages say of a kind, and where it is used and set up."""

    kind: str
    label: str
    description: str
    sign_in_path: str
    """The page of the second step; `next` is added to it."""
    settings_path: str
    """The page that sets it up."""
    remove_path: str = ""
    """Takes the form that removes it; empty when the page that sets it up does that, too."""
    order: int = 50
    """Of several, the lowest is asked for first."""
    offered: Callable[[], bool] = _always
    """Whether it may be set up and used: a setting can forbid a kind. Who has it keeps it."""


class WrongCode(Invalid):
    def __init__(self, detail: str = "This code is wrong or was used already.") -> None:
        super().__init__(detail, errors={"code": detail})


class AlreadyEnrolled(Conflict):
    pass


class NotEnrolled(Conflict):
    pass


@cache
def known() -> tuple[Factor, ...]:
    """Every kind that this app offers."""
    return tuple(sorted((part.FACTOR for part in parts("factor")), key=lambda one: one.order))


def named(kind: str) -> Factor:
    return next(one for one in known() if one.kind == kind)


def of(kinds: Sequence[str]) -> list[Factor]:
    """The factors of these kinds that may be used, the one to ask for first in front."""
    return [one for one in known() if one.kind in kinds and one.offered()]


# As app_auth ------------------------------------------------------------------------------------


async def kinds(db: AsyncSession, user_id: UUID) -> list[str]:
    """What someone has enrolled."""
    query = select(SecondFactor.kind).where(SecondFactor.user_id == user_id)
    return list(await db.scalars(query.order_by(SecondFactor.kind)))


async def enable(db: AsyncSession, user_id: UUID, kind: str) -> list[str]:
    """From now on signing in asks for it. Gives recovery codes when it is the first factor."""
    await one_at_a_time(db, user_id)
    first = not await kinds(db, user_id)
    await db.execute(
        insert(SecondFactor)
        .values(id=uuid7(), user_id=user_id, kind=kind)
        .on_conflict_do_nothing(index_elements=["user_id", "kind"])
    )
    return await recovery_codes.make(db, user_id) if first else []


async def disable(db: AsyncSession, user_id: UUID, kind: str) -> bool:
    """Signing in asks for it no more; whether another factor is left."""
    await one_at_a_time(db, user_id)
    await db.execute(
        delete(SecondFactor).where(SecondFactor.user_id == user_id, SecondFactor.kind == kind)
    )
    if await kinds(db, user_id):
        return True
    await recovery_codes.forget(db, user_id)
    return False


async def one_at_a_time(db: AsyncSession, user_id: UUID) -> None:
    """Nobody sets up a factor, takes one away or signs in beside it, until the transaction ends.

    Two first factors at once would each make recovery codes, and a sign-in that began before a
    factor would end without it. Before anything is recorded: sign-ins wait for that, too.
    """
    await db.execute(select(Password.id).where(Password.user_id == user_id).with_for_update())
    await db.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


async def forget(db: AsyncSession, user_id: UUID) -> list[str]:
    """Take away every kind with all its secrets, and the recovery codes. Gives the kinds."""
    await one_at_a_time(db, user_id)
    found = await kinds(db, user_id)
    for part in parts("factor"):
        if hasattr(part, "forget"):
            await part.forget(db, user_id)
    await db.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))
    await recovery_codes.forget(db, user_id)
    return found


async def add(db: AsyncSession, person: Person, kind: str) -> tuple[list[str], str]:
    """Enable a kind whose first proof was just accepted, and end every other session.

    Gives the recovery codes, when this is the first factor, and this session's new token.
    """
    codes = await enable(db, person.user_id, kind)
    await sessions.end_all(db, person.user_id, but=person.session_id)
    token, _ = await sessions.rotate(db, person, proved=False, second_factor=True, factor=kind)
    await audit.record(db, "second_factor.enrolled", person=person, detail={"kind": kind})
    await notice(db, person, "auth/second_factor_on", factor=named(kind).label)
    return codes, token


async def remove(db: AsyncSession, person: Person, kind: str) -> str:
    """Disable a kind, and end every other session. Gives this session's new token."""
    left = await disable(db, person.user_id, kind)
    await sessions.end_all(db, person.user_id, but=person.session_id)
    token, _ = await sessions.rotate(
        db, person, proved=False, second_factor=None if left else False
    )
    await audit.record(db, "second_factor.removed", person=person, detail={"kind": kind})
    await notice(db, person, "auth/second_factor_off", factor=named(kind).label, left=left)
    return token


async def finish(db: AsyncSession, person: Person, kind: str) -> SignedIn:
    """The second step of signing in was accepted: the half-way session becomes a full one.

    Call it in the transaction that uses the proof up.
    """
    await notices.second_step(db, person)
    token, session_id = await sessions.rotate(
        db, person, proved=True, second_factor=True, factor=kind
    )
    await audit.record(
        db, "session.started", person=person, target=session_id, detail={"second_factor": kind}
    )
    return SignedIn(token, "full", lockout.new_device(person.email))


async def proved(db: AsyncSession, person: Person, kind: str) -> str:
    """Someone signed in has proved it again: opens sensitive actions. Gives the new token.

    A code or a key alone is no proof: check the password before, or that the key checked its owner.
    """
    token, _ = await sessions.rotate(db, person, proved=True)
    await audit.record(db, "identity.proved", person=person, detail={"second_factor": kind})
    return token


async def notice(db: AsyncSession, person: Person, template: str, **values: object) -> None:
    """Mail what changed about the account."""
    await mail.send(
        db,
        person.email,
        template,
        name=person.display_name,
        link=public_url("/account/security"),
        **values,
    )


# Transactions of their own ----------------------------------------------------------------------


async def enrolled(user_id: UUID) -> list[Factor]:
    """The factors of someone, for a page that asks for one."""
    async with transaction(elevated=True) as db:
        return of(await kinds(db, user_id))


async def count_try(person: Person) -> None:
    """Count a guess before it is looked at; raises `RateLimited`.

    Strangers who know the password share one counter. A known device has its own, and so has
    whoever is inside already: nobody uses up the tries of the account's owner.
    """
    whose = "inside"
    if person.level != "full":
        async with transaction(elevated=True) as db:
            whose = await sessions.device(db, person.session_id) or "strangers"
    for rate in TRIES:
        await take(f"second-factor:{person.user_id}:{whose}", rate)


@asynccontextmanager
async def telling(person: Person, kind: str) -> AsyncIterator[None]:
    """A wrong code is an event: whoever sends one at sign-in knows the password already."""
    try:
        yield
    except WrongCode:
        await failed(person, kind)
        raise


async def failed(person: Person, kind: str) -> None:
    async with transaction(elevated=True) as db:
        await audit.record(db, "second_factor.failed", person=person, detail={"kind": kind})


async def finish_with_recovery_code(person: Person, code: str) -> SignedIn:
    """The second step with one of the ten codes for a lost phone."""
    await count_try(person)
    async with telling(person, "recovery_code"), transaction(elevated=True) as db:
        if not await recovery_codes.use(db, person.user_id, code):
            raise WrongCode
        left = await recovery_codes.left(db, person.user_id)
        started = await finish(db, person, "recovery_code")
        await audit.record(db, "recovery_code.used", person=person)
        await notice(db, person, "auth/recovery_code_used", left=left)
    return started


async def prove_with_recovery_code(person: Person, code: str) -> str:
    """A fresh proof with one of the ten codes, when the password was checked; the new token."""
    async with telling(person, "recovery_code"), transaction(elevated=True) as db:
        if not await recovery_codes.use(db, person.user_id, code):
            raise WrongCode
        left = await recovery_codes.left(db, person.user_id)
        token = await proved(db, person, "recovery_code")
        await audit.record(db, "recovery_code.used", person=person)
        await notice(db, person, "auth/recovery_code_used", left=left)
    return token


async def renew_codes(person: Person) -> list[str]:
    """Ten new recovery codes; the old ones stop working."""
    async with transaction(elevated=True) as db:
        await one_at_a_time(db, person.user_id)
        if not await kinds(db, person.user_id):
            raise NotEnrolled("No second factor is set up.")
        codes = await recovery_codes.make(db, person.user_id)
        await audit.record(db, "recovery_codes.renewed", person=person)
        await notice(db, person, "auth/recovery_codes_renewed")
    return codes
