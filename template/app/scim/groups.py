"""Groups of the directory: members under a name. They give nobody a role."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete as delete_from
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.clock import now
from app.core.errors import NotFound
from app.scim import attributes, filters, patch
from app.scim.errors import BadRequest
from app.scim.models import ScimGroup
from app.scim.service import Page, Resource, identities


def _resource(group: ScimGroup) -> Resource:
    return Resource(group.id, group.document, group.created_at, group.updated_at)


async def _group(db: AsyncSession, group_id: UUID) -> ScimGroup:
    query = select(ScimGroup).where(ScimGroup.id == group_id).with_for_update()
    found = (await db.scalars(query)).one_or_none()
    if found is None:
        raise NotFound("No such group.")
    return found


async def get(db: AsyncSession, group_id: UUID) -> Resource:
    return _resource(await _group(db, group_id))


async def search(db: AsyncSession, expression: str | None, start: int, count: int) -> Page:
    query = select(ScimGroup)
    if expression:
        name, value = filters.read(attributes.GROUP, expression)
        if name == "id":
            query = query.where(ScimGroup.id == filters.identifier(value))
        elif name in {"displayName", "externalId"}:
            query = query.where(ScimGroup.document[name].astext == value)
        else:
            raise BadRequest("invalidFilter", f"Groups are not found by {name}.")
    total = await db.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = await db.scalars(query.order_by(ScimGroup.id).offset(start - 1).limit(count))
    return Page([_resource(row) for row in rows], total)


async def create(db: AsyncSession, organization_id: UUID, given: Mapping[str, Any]) -> Resource:
    document = await _good(db, attributes.clean(attributes.GROUP, given))
    group = ScimGroup(organization_id=organization_id, document=document, updated_at=now())
    db.add(group)
    await db.flush()
    await db.refresh(group)
    await _record(db, organization_id, "scim.group_created", group.id)
    return _resource(group)


async def replace(
    db: AsyncSession, organization_id: UUID, group_id: UUID, given: Mapping[str, Any]
) -> Resource:
    group = await _group(db, group_id)
    return await _change(db, organization_id, group, attributes.clean(attributes.GROUP, given))


async def modify(
    db: AsyncSession, organization_id: UUID, group_id: UUID, body: Mapping[str, Any]
) -> Resource:
    group = await _group(db, group_id)
    changed = patch.apply(attributes.GROUP, group.document, body)
    return await _change(db, organization_id, group, changed)


async def _change(
    db: AsyncSession, organization_id: UUID, group: ScimGroup, document: dict[str, Any]
) -> Resource:
    group.document, group.updated_at = await _good(db, document), now()
    await db.flush()
    await _record(db, organization_id, "scim.group_changed", group.id)
    return _resource(group)


async def delete(db: AsyncSession, organization_id: UUID, group_id: UUID) -> None:
    gone = await db.scalar(
        delete_from(ScimGroup).where(ScimGroup.id == group_id).returning(ScimGroup.id)
    )
    if gone is None:
        raise NotFound("No such group.")
    await _record(db, organization_id, "scim.group_deleted", group_id)


async def _good(db: AsyncSession, document: dict[str, Any]) -> dict[str, Any]:
    """Only members of this organisation can be in its groups."""
    wanted = {filters.identifier(one["value"]) for one in document.get("members", [])}
    if wanted - await identities(db, wanted):
        raise BadRequest("invalidValue", "members holds somebody who is no user here.")
    return document


async def _record(db: AsyncSession, organization_id: UUID, action: str, target: UUID) -> None:
    await audit.record(
        db, action, organization_id=organization_id, target=target, detail={"by": "scim"}
    )
