"""Those who run the app: the people of the first organisation, which `app create-admin` makes.

What belongs to the installation and to no customer is opened by a permission that counts in this
organisation only: `person: Annotated[Person, operators("prompts.read")]`.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import allow
from app.access.person import NOBODY, Person
from app.core.clock import now
from app.core.db import Database
from app.core.errors import Forbidden
from app.core.ids import uuid7
from app.core.settings import answers
from app.users.models import Organization

_known: UUID | None = None
_missed = True


class NotOperator(Forbidden):
    """The permission is there, in an organisation that does not run the app."""


def operators(permission: str, *, recent: bool = False) -> Any:
    """People with `permission` in the organisation that runs the app."""

    async def check(
        person: Annotated[Person, allow(permission, recent=recent)], db: Database
    ) -> Person:
        if not await runs_the_app(db, person):
            raise NotOperator("Only the organisation that runs this app can do this.")
        return person

    return Depends(check, scope="function")


async def runs_the_app(db: AsyncSession, person: Person) -> bool:
    """Whether this person's organisation is the one that runs the app."""
    global _known
    found = await db.get_one(Organization, person.organization_id)
    if found.slug != slug():
        return False
    _known = found.id
    return True


async def organization_id(db: AsyncSession) -> UUID | None:
    """The organisation that runs the app, once somebody has made it; as app_auth."""
    global _known, _missed
    _missed = False
    _known = await db.scalar(select(Organization.id).where(Organization.slug == slug()))
    return _known


def is_operator(person: Any) -> bool:
    """The same as far as this process knows already: for links, never for access."""
    return known() is not None and getattr(person, "organization_id", None) == _known


def known() -> UUID | None:
    """The organisation that runs the app, as far as this process knows already."""
    global _missed
    _missed = _missed or _known is None
    return _known


def missed() -> bool:
    """Whether somebody has asked for it since it was looked for last, and it was not known."""
    return _missed and _known is None


def slug() -> str:
    return str(answers()["project"]["slug"])


def machine(organization_id: UUID) -> Person:
    """The app itself, which may call models and nothing else; budgets are the organisation's."""
    return Person(
        user_id=NOBODY,
        organization_id=organization_id,
        session_id=uuid7(),
        email="",
        display_name="The app",
        role="member",
        level="full",
        second_factor=True,
        authenticated_at=now(),
        created_at=now(),
        second_factor_policy=None,
        organization_name="",
        permissions=frozenset({"llm.call"}),
    )
