"""The person who asks, as the rest of the app sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.roles import Role, custom, granted, reserved
from app.access.settings import AccessSettings
from app.core.clock import now
from app.core.crypto import digest
from app.limits.connections import fetch

# The columns come in the order of Person's fields; the last is a custom role's permissions.
OPEN = text("SELECT * FROM open_session(:token)")
OPEN_ALONE: LiteralString = "SELECT * FROM open_session(%(token)s)"
ROLE = 5


@dataclass(frozen=True, slots=True)
class Person:
    """Someone signed in; `level` is "pending" while a second factor is still to come."""

    user_id: UUID
    organization_id: UUID
    session_id: UUID
    email: str
    display_name: str
    role: str
    level: str
    second_factor: bool
    authenticated_at: datetime
    created_at: datetime
    second_factor_policy: str | None
    """What the organisation asks for, if it asks for anything of its own."""
    organization_name: str
    permissions: frozenset[str]
    by_key: bool = False
    """A program asks with a key; `session_id` is then the key's id."""

    @property
    def lacks_second_factor(self) -> bool:
        """Settings or organisation ask for a second factor and this session had none."""
        policies = {AccessSettings.load().second_factor, self.second_factor_policy}
        asked = "everyone" in policies or ("admins" in policies and self.administers)
        return asked and not self.second_factor

    @property
    def administers(self) -> bool:
        """Administrators, and whoever has a part of what is theirs by a custom role."""
        return self.role == Role.ADMIN or not reserved().isdisjoint(self.permissions)

    @property
    def proved_recently(self) -> bool:
        minutes = AccessSettings.load().step_up_minutes
        return now() - self.authenticated_at < timedelta(minutes=minutes)


async def identify(db: AsyncSession, token: str) -> Person | None:
    """Find the session, and set person and organisation for the transaction. One round trip."""
    return person_of((await db.execute(OPEN, {"token": digest(token)})).one_or_none())


async def identify_alone(token: str) -> Person | None:
    """The same as a statement of its own: no transaction begins, and nothing is set."""
    return person_of(await fetch(OPEN_ALONE, {"token": digest(token)}))


def person_of(row: Sequence[Any] | None) -> Person | None:
    """What a row of open_session says."""
    if not row:
        return None
    *_, permissions = row
    held = granted(row[ROLE]) if permissions is None else custom(permissions)
    return Person(*(*row[:-1], held))
