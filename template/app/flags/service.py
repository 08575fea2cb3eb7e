"""Which flags there are, and setting them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.db import elevated
from app.core.errors import Conflict, NotFound
from app.flags.models import FeatureFlag
from app.flags.switches import ALL, PREFIX
from app.modules import parts
from app.users.models import User

FEATURE = re.compile(rf"{re.escape(PREFIX)}[a-z][a-z0-9_.-]{{0,60}}")


# An event of the audit log has room for this many of each.
MOST_TOLD = 15


class NoSuchFlag(NotFound):
    def __init__(self) -> None:
        super().__init__("No code asks for such a flag.")


class FlagChangedMeanwhile(Conflict):
    """Somebody set it after it was looked at: nobody undoes that without having seen it."""


@dataclass(frozen=True)
class FlagState:
    """A flag as it is now."""

    name: str
    purpose: str
    enabled: bool
    """Of one that nobody has set: whether code does it by itself."""
    share: int = 100
    organizations: Sequence[UUID] = ()
    off_for: Sequence[UUID] = ()
    roles: Sequence[str] = ()
    reason: str = ""
    changed_by: str = ""
    changed_at: datetime | None = None
    is_set: bool = field(default=True)

    @property
    def seen(self) -> str:
        """Tells whether it was set since."""
        return self.changed_at.isoformat() if self.changed_at else "never"


def declared() -> dict[str, str]:
    """Names and purposes, from every module's flags.py."""
    own = {ALL: "Every call of a model, whatever for."}
    return own | {name: purpose for part in parts("flags") for name, purpose in part.FLAGS.items()}


async def flags(db: AsyncSession) -> list[FlagState]:
    """All that code asks for or somebody has set, by name."""
    rows = await db.execute(
        select(FeatureFlag, User.display_name).outerjoin(User, User.id == FeatureFlag.changed_by)
    )
    known = declared()
    found = {row.name: _state(row, known.get(row.name, ""), by) for row, by in rows}
    unset = {
        name: FlagState(name, purpose, enabled=name.startswith(PREFIX), is_set=False)
        for name, purpose in known.items()
    }
    return [one for _, one in sorted((unset | found).items())]


async def flag(db: AsyncSession, name: str) -> FlagState:
    """Raises `NoSuchFlag`. A switch for a model's feature may be set before code asks for it."""
    for one in await flags(db):
        if one.name == name:
            return one
    if not FEATURE.fullmatch(name):
        raise NoSuchFlag
    return FlagState(name, "", enabled=True, is_set=False)


async def set_flag(
    db: AsyncSession,
    name: str,
    *,
    enabled: bool,
    share: int = 100,
    organizations: Sequence[UUID] = (),
    off_for: Sequence[UUID] | None = None,
    roles: Sequence[str] = (),
    reason: str,
    person: Person | None = None,
    organization_id: UUID | None = None,
    seen: str | None = None,
) -> None:
    """Every process has noticed within a second of the commit. Raises `NoSuchFlag`, and
    `FlagChangedMeanwhile` when it is not what was `seen` any more.

    Without `off_for` it stays off where it was: nobody lifts that in passing. Without a `person` it
    is the command line, on behalf of the organisation that runs the app.
    """
    # Also of a flag that has no row yet.
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"flag {name}", 0))))
    before = await flag(db, name)
    if seen not in {None, before.seen}:
        raise FlagChangedMeanwhile("Somebody set this flag meanwhile: look at it once more.")
    where, whom = sorted(set(organizations)), sorted(set(roles))
    not_in = sorted(set(before.off_for if off_for is None else off_for))
    values: dict[str, object] = {
        "enabled": enabled,
        "share": share,
        "organizations": where,
        "off_for": not_in,
        "roles": whom,
        "reason": reason,
        "changed_by": person.user_id if person else None,
        "changed_at": func.now(),
    }
    given = {one: to for one, to in values.items() if one != "off_for" or off_for is not None}
    async with elevated(db):
        await db.execute(
            insert(FeatureFlag)
            .values(name=name, **values)
            .on_conflict_do_update(index_elements=["name"], set_=given)
        )
    for part in parts("switched"):
        await part.switched(db, name)
    await audit.record(
        db,
        "flags.set",
        person=person,
        organization_id=None if person else organization_id,
        target=name,
        detail={
            "enabled": enabled,
            "share": share,
            "organizations": [str(one) for one in where][:MOST_TOLD],
            "off_for": [str(one) for one in not_in][:MOST_TOLD],
            "roles": whom,
        },
    )


def _state(row: FeatureFlag, purpose: str, by: str | None) -> FlagState:
    return FlagState(
        row.name,
        purpose,
        row.enabled,
        row.share,
        row.organizations,
        row.off_for,
        row.roles,
        row.reason,
        by or "",
        row.changed_at,
    )
