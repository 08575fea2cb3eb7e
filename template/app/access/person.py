"""The person who asks, as the rest of the app sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.roles import Role, closed_to_keys, held_by, reserved
from app.access.settings import AccessSettings
from app.core.clock import now
from app.core.crypto import digest
from app.core.direct import fetch_first
from app.limits.connections import fetch

# The columns come in the order of Person's fields, then what a custom role may do, then who
# works as this person, if it is not they themselves.
OPEN: LiteralString = "SELECT * FROM open_session(%(token)s)"
ROLE, KNOWN = 5, 12
# Stands where a person would, when the app itself works for an organisation.
NOBODY = UUID(int=0)
IMPERSONATE = "people.impersonate"


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The administrator who works as someone else for a while, by their own session."""

    user_id: UUID
    session_id: UUID
    display_name: str
    ends_at: datetime


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
    by_token: bool = False
    """A program asks with an access token of its session, which no cookie opens."""
    impersonation: Impersonation | None = None
    """Set while it is not they themselves who ask, but an administrator as them."""
    away: bool = False
    """What they asked for goes on later, without them; the session may have ended long ago."""

    @property
    def account(self) -> UUID | None:
        """None while the app itself works for the organisation, with nobody signed in."""
        return None if self.user_id == NOBODY else self.user_id

    @property
    def lacks_second_factor(self) -> bool:
        """Settings or organisation ask for a second factor and this session had none."""
        policies = {AccessSettings.load().second_factor, self.second_factor_policy}
        # The second factor of who impersonates counts, and that is an administrator.
        administers = self.administers or self.impersonation is not None
        asked = "everyone" in policies or ("admins" in policies and administers)
        return asked and not self.second_factor

    @property
    def administers(self) -> bool:
        """Administrators, and whoever has a part of what is theirs by a custom role."""
        return self.role == Role.ADMIN or may_administer(self.permissions)

    @property
    def proved_recently(self) -> bool:
        if self.impersonation is not None:
            return False  # nobody can prove to be someone else
        minutes = AccessSettings.load().step_up_minutes
        return now() - self.authenticated_at < timedelta(minutes=minutes)


async def identify(db: AsyncSession, token: str) -> Person | None:
    """Find the session, and set person and organisation for the transaction. One round trip."""
    return person_of(await fetch_first(db, OPEN, {"token": digest(token)}))


async def identify_alone(token: str) -> Person | None:
    """The same as a statement of its own: no transaction begins, and nothing is set."""
    return person_of(await fetch(OPEN, {"token": digest(token)}))


def person_of(row: Sequence[Any] | None) -> Person | None:
    """What a row of open_session says."""
    if not row:
        return None
    permissions, *by = row[KNOWN:]
    held = held_by(row[ROLE], permissions)
    if by[0] is None:
        return Person(*(*row[:KNOWN], held))
    user_id, session_id, name, role, role_permissions, ends_at = by
    if not may_impersonate(held_by(role, role_permissions), held):
        return None  # one of them has another role by now
    behind = Impersonation(user_id, session_id, name, ends_at)
    # What guards the account itself stays with its owner.
    return replace(Person(*(*row[:KNOWN], held - closed_to_keys())), impersonation=behind)


def may_impersonate(administrator: frozenset[str], person: frozenset[str]) -> bool:
    """Never upward, and never another administrator: whoever does it gains no right by it."""
    return IMPERSONATE in administrator and person <= administrator and not may_administer(person)


def may_administer(permissions: frozenset[str]) -> bool:
    """Whether there is a part in it of what only administrators have."""
    return not reserved().isdisjoint(permissions)
