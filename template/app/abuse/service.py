"""What was seen and what is in force, for administrators: looked up, set and lifted by hand.

Row security shows each organisation its own. What concerns the whole app belongs to the
organisation that runs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from sqlalchemy import Select, column, delete, func, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.abuse import in_force, seeing, subjects
from app.abuse.models import AbuseCounter, AbuseMeasure, AbuseSighting
from app.abuse.subjects import Subject
from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.db import elevated
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.ids import uuid7
from app.limits import lockout
from app.limits.models import Lockout
from app.users import roles
from app.users import service as users
from app.users.models import User

Row = TypeVar("Row", AbuseMeasure, AbuseSighting)
State = Literal["in-force", "ended"]
# The tables belong to modules above; row security shows what is one's own in them.
KEYS = table("api_keys", column("id"), column("name"), column("user_id"))
MOST_LOCKED = 10_000
# What makes sense for whom: a program cannot solve a challenge, and nobody suspends everyone.
MEASURES = {
    "address": ("slow", "challenge", "suspend"),
    "network": ("slow", "challenge", "suspend"),
    "everyone": ("slow", "challenge"),
    "person": ("slow", "suspend"),
    "key": ("slow", "suspend"),
    "organization": ("slow",),
}


class NotYourOrganization(Forbidden):
    """Addresses are everyone's: one organisation does not shut them to another."""

    def __init__(self) -> None:
        super().__init__("Only those who run the app decide about addresses.")


class NotAboutYourself(Conflict):
    def __init__(self) -> None:
        super().__init__("Ask another administrator: nobody decides about themselves.")


class NoSuchMeasure(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such measure in force.")


class NotLocked(NotFound):
    def __init__(self) -> None:
        super().__init__("Nobody has to wait at this login.")


class NotForThem(Invalid):
    def __init__(self, measures: Sequence[str]) -> None:
        detail = f"Here only {' and '.join(measures)} can be set."
        super().__init__(detail, errors={"measure": detail})


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Newest first. `before` is where the next page starts, if there is one."""

    rows: Sequence[Row]
    before: UUID | None


@dataclass(frozen=True)
class Locked:
    """A member whose login was guessed at: strangers wait, a known device does not."""

    user_id: UUID
    name: str
    email: str
    attempts: int
    until: datetime


async def measures(
    db: AsyncSession,
    *,
    state: State = "in-force",
    of: str = "",
    before: UUID | None = None,
    limit: int = 50,
) -> Page[AbuseMeasure]:
    query = select(AbuseMeasure)
    live = (AbuseMeasure.until > func.now()) & AbuseMeasure.lifted_at.is_(None)
    query = query.where(live if state == "in-force" else ~live)
    if of:
        query = query.where(AbuseMeasure.subject_kind == of)
    return await _page(db, AbuseMeasure, query, before, limit)


async def sightings(
    db: AsyncSession, *, kind: str = "", before: UUID | None = None, limit: int = 50
) -> Page[AbuseSighting]:
    query = select(AbuseSighting)
    if kind:
        query = query.where(AbuseSighting.kind == kind)
    return await _page(db, AbuseSighting, query, before, limit)


async def _page(
    db: AsyncSession, kind: type[Row], query: Select[Row], before: UUID | None, limit: int
) -> Page[Row]:
    query = query.order_by(kind.id.desc()).limit(limit + 1)
    if before:
        query = query.where(kind.id < before)
    found = (await db.scalars(query)).all()
    return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)


async def measure(db: AsyncSession, measure_id: UUID) -> AbuseMeasure:
    found = await db.get(AbuseMeasure, measure_id)
    if found is None:
        raise NoSuchMeasure
    return found


def is_live(one: AbuseMeasure) -> bool:
    return one.lifted_at is None and one.until > now()


async def names(db: AsyncSession, rows: Sequence[AbuseMeasure | AbuseSighting]) -> dict[str, str]:
    """What people and keys in these rows are called, by id."""
    ids = {
        UUID(one.subject) for one in rows if one.subject_kind in {"person", "key"} and one.subject
    }
    ids |= {who for one in rows if isinstance(one, AbuseMeasure) for who in _who(one)}
    people = await db.execute(select(User.id, User.display_name).where(User.id.in_(ids)))
    keys = await db.execute(select(KEYS.c.id, KEYS.c.name).where(KEYS.c.id.in_(ids)))
    return {str(one): name for one, name in (*people, *keys)}


def _who(one: AbuseMeasure) -> set[UUID]:
    return {who for who in (one.set_by, one.lifted_by) if who}


async def runs_the_app(db: AsyncSession, person: Person) -> bool:
    """Whether this person's organisation is the one that runs the app."""
    return (await users.organization(db, person)).slug == seeing.operator()["slug"]


async def subject_of(db: AsyncSession, person: Person, kind: str, text: str) -> Subject:
    """Whom an administrator means. Raises `NotFound`, `NoAddress` or `NotYourOrganization`."""
    if kind == "address":
        if not await runs_the_app(db, person):
            raise NotYourOrganization
        return subjects.typed(text)
    if kind == "organization":
        return subjects.organization(person.organization_id)
    try:
        wanted = UUID(text)
    except ValueError:
        wanted = await _by_mail(db, text) if kind == "person" else UUID(int=0)
    if kind == "person":
        return subjects.person(person.organization_id, (await users.member(db, wanted)).id)
    found = await db.scalar(select(KEYS.c.id).where(KEYS.c.id == wanted))
    if found is None:
        raise NotFound("No such key.")
    return subjects.api_key(person.organization_id, wanted)


async def _by_mail(db: AsyncSession, text: str) -> UUID:
    """A colleague; row security shows nobody else but oneself."""
    query = select(User.id).where(func.lower(User.email) == text.strip().lower())
    found: UUID | None = await db.scalar(query)
    if found is None:
        detail = "Nobody in your organisation has this address."
        raise Invalid(detail, errors={"subject": detail})
    return found


async def set_measure(
    db: AsyncSession, person: Person, subject: Subject, wanted: str, *, minutes: int, reason: str
) -> AbuseMeasure:
    """Slow, challenge or suspend someone for a time; one set before gives way to it."""
    possible = MEASURES[subject.kind]
    if wanted not in possible:
        raise NotForThem(possible)
    if subject.kind == "person":
        await _may_hold_back(db, person, UUID(subject.shown), wanted)
    moment = now()
    await db.execute(
        update(AbuseMeasure)
        .where(AbuseMeasure.subject_key == subject.key, AbuseMeasure.lifted_at.is_(None))
        .where(AbuseMeasure.until > moment)
        .values(lifted_at=moment, lifted_by=person.user_id, lifted_because=reason)
    )
    made = AbuseMeasure(
        id=uuid7(),
        organization_id=person.organization_id,
        measure=wanted,
        scope="all",
        subject_kind=subject.kind,
        subject=subject.shown,
        subject_key=subject.key,
        because=reason,
        set_by=person.user_id,
        until=moment + timedelta(minutes=minutes),
    )
    db.add(made)
    await db.flush()
    await db.refresh(made)
    await audit.record(
        db,
        "abuse.measure_set",
        person=person,
        target=made.id,
        detail={"measure": wanted, "of": subject.kind, "minutes": minutes},
    )
    in_force.forget()
    return made


async def _may_hold_back(db: AsyncSession, person: Person, user_id: UUID, wanted: str) -> None:
    if user_id == person.user_id:
        raise NotAboutYourself
    await roles.must_hold(db, person, (await users.member(db, user_id)).role)
    if wanted == "suspend":
        await users.keep_in_charge(db, person.organization_id, user_id)


async def lift(db: AsyncSession, person: Person, measure_id: UUID, reason: str) -> AbuseMeasure:
    """End a measure now; what was counted begins anew, or it would be back at once."""
    found = await measure(db, measure_id)
    if found.subject_kind == "person" and found.subject == str(person.user_id):
        raise NotAboutYourself
    moment = now()
    lifted: AbuseMeasure | None = await db.scalar(
        update(AbuseMeasure)
        .where(AbuseMeasure.id == measure_id, AbuseMeasure.lifted_at.is_(None))
        .where(AbuseMeasure.until > moment)
        .values(lifted_at=moment, lifted_by=person.user_id, lifted_because=reason)
        .returning(AbuseMeasure)
    )
    if lifted is None:
        raise NoSuchMeasure
    await db.execute(delete(AbuseCounter).where(AbuseCounter.id == lifted.subject_key))
    if lifted.subject_kind == "everyone":
        async with elevated(db):
            await seeing.forget_tallies(db, lifted.organization_id)
    detail: dict[str, Any] = {"measure": lifted.measure, "of": lifted.subject_kind}
    await audit.record(db, "abuse.measure_lifted", person=person, target=lifted.id, detail=detail)
    in_force.forget()
    return lifted


async def locked_out(db: AsyncSession) -> list[Locked]:
    """Members whose logins strangers have to wait for now, by how long."""
    held = select(Lockout).where(Lockout.locked_until > func.now()).limit(MOST_LOCKED)
    by_id = {one.id: one for one in await db.scalars(held)}
    if not by_id:
        return []
    found = [
        Locked(user_id, name, email, one.attempts, one.locked_until)
        for user_id, name, email in await db.execute(select(User.id, User.display_name, User.email))
        if (one := by_id.get(lockout.counter(email, None)))
    ]
    return sorted(found, key=lambda one: one.until, reverse=True)


async def lift_lockout(db: AsyncSession, person: Person, user_id: UUID, reason: str) -> None:
    """Let strangers at a member's login try again at once; so can the owner from a new device."""
    found = await users.member(db, user_id)
    gone = delete(Lockout).where(
        Lockout.id == lockout.counter(found.email, None), Lockout.locked_until > func.now()
    )
    until: datetime | None = await db.scalar(gone.returning(Lockout.locked_until))
    if until is None:
        raise NotLocked
    subject = subjects.person(person.organization_id, user_id)
    # Written down as what it was: the log itself holds no reason that a person wrote.
    done = AbuseMeasure(
        id=uuid7(),
        organization_id=person.organization_id,
        measure="slow",
        scope="sign-in",
        subject_kind=subject.kind,
        subject=subject.shown,
        subject_key=subject.key,
        because="lockout",
        until=until,
        lifted_at=now(),
        lifted_by=person.user_id,
        lifted_because=reason,
    )
    db.add(done)
    await db.flush()
    await audit.record(db, "lockout.lifted", person=person, target=user_id)
