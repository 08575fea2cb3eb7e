"""The flags as this process knows them: asking for one costs no statement.

While the database is away, what was known last holds: what is switched off stays off. Before
anything is known, models are not called.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, LiteralString
from uuid import UUID

from app.clocks.kept import Kept
from app.core.errors import Unavailable
from app.limits.connections import fetch_all

FLAGS: LiteralString = (
    "SELECT name, enabled, share, organizations, roles, off_for FROM feature_flags"
)


class FlagsNotLoaded(Unavailable):
    """The flags could not be read yet, so nobody knows what is switched off."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What was set."""

    name: str
    enabled: bool
    share: int
    organizations: frozenset[UUID]
    roles: frozenset[str]
    off_for: frozenset[UUID] = frozenset()

    def is_on_for(self, organization_id: UUID | None, role: str, who: str) -> bool:
        return (
            self.enabled
            and organization_id not in self.off_for
            and (not self.organizations or organization_id in self.organizations)
            and (not self.roles or role in self.roles)
            and (self.share >= 100 or place(self.name, who) < self.share * 100)
        )


def place(flag: str, who: str) -> int:
    """Where someone stands among 10,000, the same each time, another for each flag."""
    digest = blake2b(f"{flag}\0{who}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % 10_000


def flag(name: str) -> Flag | None:
    """What was set, as far as this process knows; None when nobody has set it."""
    return kept.known.get(name) if kept.known else None


async def _flags() -> Mapping[str, Flag]:
    rows: list[Any] = await fetch_all(FLAGS, {})
    return {
        name: Flag(
            name, enabled, share, frozenset(organizations), frozenset(roles), frozenset(off_for)
        )
        for name, enabled, share, organizations, roles, off_for in rows
    }


kept = Kept("flags", _flags, FlagsNotLoaded)
