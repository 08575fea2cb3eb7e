"""Empty the cache, and say what it saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, cast, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.access.person import Person
from app.audit import service as audit
from app.cache.models import CachedAnswer, CacheDay, CachedVector, CacheEmptying
from app.cache.settings import CacheSettings
from app.core.clock import now
from app.core.db import elevated
from app.core.errors import NotFound
from app.core.ids import uuid7

# What began before is over by then.
EMPTYINGS_HOURS = 24
LOCKS = 8086
COUNTS = ("exact", "alike", "stale", "missed", "tokens", "microdollars", "checked", "agreed")


class NoSuchAnswer(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such answer in the cache.")


@dataclass(frozen=True, slots=True)
class Line:
    """What became of calls that could be answered from the cache, of a day or a feature."""

    exact: int = 0
    alike: int = 0
    stale: int = 0
    missed: int = 0
    tokens: int = 0
    microdollars: int = 0
    checked: int = 0
    agreed: int = 0
    day: date | None = None
    feature: str = ""

    @property
    def hits(self) -> int:
        return self.exact + self.alike + self.stale

    @property
    def share(self) -> float:
        """Of these calls, how many got an earlier answer."""
        return self.hits / (self.hits + self.missed) if self.hits + self.missed else 0.0


async def by_day(db: AsyncSession, since: date, until: date) -> list[Line]:
    """In order; days without such a call are left out."""
    lines = await _sums(db, since, until, CacheDay.day)
    return sorted(lines, key=lambda line: line.day or since)


async def by_feature(db: AsyncSession, since: date, until: date) -> list[Line]:
    """The most saving one first."""
    lines = await _sums(db, since, until, CacheDay.feature)
    return sorted(lines, key=lambda line: (-line.microdollars, -line.hits, line.feature))


async def total(db: AsyncSession, since: date, until: date) -> Line:
    found = await _sums(db, since, until)
    return found[0] if found else Line()


async def _sums(db: AsyncSession, since: date, until: date, *keys: Any) -> list[Line]:
    sums = [
        func.coalesce(cast(func.sum(getattr(CacheDay, name)), BigInteger), 0).label(name)
        for name in COUNTS
    ]
    query = select(*keys, *sums).where(CacheDay.day >= since, CacheDay.day < until)
    rows = await db.execute(query.group_by(*keys) if keys else query)
    return [Line(**row) for row in rows.mappings()]


async def size(db: AsyncSession) -> tuple[int, datetime | None]:
    """How many answers are kept for the organisation, and when the oldest was given."""
    query = select(func.count(CachedAnswer.id), func.min(CachedAnswer.created_at))
    count, oldest = (await db.execute(query)).one()
    return count, oldest


async def empty(db: AsyncSession, person: Person) -> int:
    """Everything of the person's organisation goes; how many answers that were."""
    mine = CachedAnswer.organization_id == person.organization_id
    count = await _forget(db, person.organization_id, mine)
    await db.execute(
        delete(CachedVector).where(CachedVector.organization_id == person.organization_id)
    )
    await audit.record(db, "cache.emptied", person=person, detail={"answers": count})
    return count


async def forget_documents(db: AsyncSession, organization_id: UUID) -> None:
    """Answers that came from documents go when one of these changes, or who may read it."""
    mine = CachedAnswer.organization_id == organization_id
    await _forget(db, organization_id, mine, CachedAnswer.with_documents.is_(True))


async def forget_answer(db: AsyncSession, organization_id: UUID, text: str) -> None:
    """People found an answer wrong: nobody gets it again."""
    mine = CachedAnswer.organization_id == organization_id
    await _forget(db, organization_id, mine, CachedAnswer.text == text)


async def forget_prompt(db: AsyncSession, name: str) -> None:
    """In all organisations: another version answers from now on."""
    async with elevated(db):
        await _forget(db, None, CachedAnswer.prompt == name)


async def forget_feature(db: AsyncSession, feature: str) -> None:
    """In all organisations; an empty name stands for all features."""
    async with elevated(db):
        await _forget(db, None, *([CachedAnswer.feature == feature] if feature else []))


async def _forget(db: AsyncSession, whose: UUID | None, *where: ColumnElement[bool]) -> int:
    # Until this is committed no answer is kept, and afterwards none that was begun before.
    await db.execute(_lock(whose))
    db.add(CacheEmptying(id=uuid7(), whose=whose))
    await db.flush()
    gone = await db.scalars(delete(CachedAnswer).where(*where).returning(CachedAnswer.id))
    return len(gone.all())


def _lock(whose: UUID | None) -> Select[Any]:
    """Waits for answers that are being written. `cache_note` tries for the counterparts.

    Who empties for one organisation keeps nobody else from that; the writers of an organisation
    keep each other off. For all organisations it is the other way round.
    """
    if whose is None:
        return select(func.pg_advisory_xact_lock(LOCKS, 0))
    return select(func.pg_advisory_xact_lock_shared(LOCKS, func.hashtext(str(whose))))


async def evict(db: AsyncSession) -> int:
    """As app_auth: what is too old, and what is one too many; how many answers that were."""
    settings = CacheSettings.load()
    old = CachedAnswer.expires_at < now() - timedelta(hours=settings.stale_hours)
    gone = list(await db.scalars(delete(CachedAnswer).where(old).returning(CachedAnswer.id)))
    answers, vectors = CachedAnswer, CachedVector
    gone += await _beyond(db, answers, answers.used_at, settings.entries_per_organization)
    await _beyond(db, vectors, vectors.created_at, settings.entries_per_organization)
    limit = now() - timedelta(hours=settings.vector_hours)
    await db.execute(delete(CachedVector).where(CachedVector.created_at < limit))
    long_ago = now() - timedelta(hours=EMPTYINGS_HOURS)
    await db.execute(delete(CacheEmptying).where(CacheEmptying.created_at < long_ago))
    return len(gone)


async def _beyond(
    db: AsyncSession,
    kind: type[CachedAnswer] | type[CachedVector],
    moment: ColumnElement[datetime] | InstrumentedAttribute[datetime],
    most: int,
) -> Sequence[UUID]:
    """Delete what an organisation has more than `most` of, the oldest by `moment` first."""
    place = func.row_number().over(partition_by=kind.organization_id, order_by=moment.desc())
    ranked = select(kind.id, place.label("place")).subquery()
    beyond = select(ranked.c.id).where(ranked.c.place > most)
    query = delete(kind).where(kind.id.in_(beyond)).returning(kind.id)
    return (await db.scalars(query)).all()
