"""New organisations, and who owns them. As app_auth."""

import re
import secrets
from unicodedata import normalize
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.roles import Role
from app.audit import service as audit
from app.core.errors import Conflict
from app.core.ids import uuid7
from app.core.settings import answers
from app.modules import MODULES
from app.users.models import Membership, Organization, User


class SlugTaken(Conflict):
    def __init__(self) -> None:
        detail = "This short name is taken; choose another."
        super().__init__(detail, errors={"slug": detail})


async def found(db: AsyncSession, *, name: str, owner_id: UUID, slug: str = "") -> Organization:
    """Make an organisation whose owner administers it. Raises `SlugTaken`.

    Without a slug it gets one from its name, with a random end when that is taken.
    """
    wanted = slug or slug_from(name)
    organization_id = await _insert(db, wanted, name=name, owner_id=owner_id)
    if organization_id is None:
        if slug:
            raise SlugTaken
        again = f"{wanted[:50]}-{secrets.token_hex(4)}"
        organization_id = await _insert(db, again, name=name, owner_id=owner_id)
    if organization_id is None:
        raise SlugTaken
    db.add(Membership(organization_id=organization_id, user_id=owner_id, role=Role.ADMIN))
    await db.flush()
    await audit.record(
        db, "organization.created", organization_id=organization_id, user_id=owner_id
    )
    return await db.get_one(Organization, organization_id)


async def found_for(db: AsyncSession, user: User) -> Organization:
    """The first organisation of someone who signed up by themselves."""
    return await found(db, name=f"{user.display_name[:100]}'s organisation", owner_id=user.id)


async def _insert(db: AsyncSession, slug: str, *, name: str, owner_id: UUID) -> UUID | None:
    # The app's own organisation is found by its slug: nobody may sit there before it is made.
    if slug == answers()["project"]["slug"]:
        return None
    made: UUID | None = await db.scalar(
        insert(Organization)
        .values(id=uuid7(), name=name, slug=slug, owner_id=owner_id)
        .on_conflict_do_nothing(index_elements=["slug"])
        .returning(Organization.id)
    )
    return made


def slug_from(name: str) -> str:
    """`Ada's Köln office` becomes adas-koln-office; a name without a letter of a-z a random one."""
    plain = normalize("NFKD", name.replace("'", "")).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return slug if len(slug) >= 3 else f"organisation-{secrets.token_hex(4)}"


async def lock_owner(db: AsyncSession, organization_id: UUID) -> UUID | None:
    """Who owns it, until this transaction ends: nobody hands it on meanwhile.

    Without the module that hands it on nobody does: an owner from before could never stop to be it.
    """
    if "organizations" not in MODULES:
        return None
    query = select(Organization.owner_id).where(Organization.id == organization_id)
    owner: UUID | None = await db.scalar(query.with_for_update(key_share=True))
    return owner
