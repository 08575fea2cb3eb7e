from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.api_keys import service
from app.api_keys.dependencies import MakeLimit, Manager, Owner, ProvenOwner
from app.api_keys.schemas import KeyIn, KeyOut, NewKeyOut, OwnedKeyOut, OwnedKeyPage, Renewal, told
from app.core.db import Database
from app.core.problems import may

router = APIRouter(prefix="/api", tags=["api keys"])


@router.get("/keys")
async def list_keys(db: Database, person: Owner) -> list[KeyOut]:
    """One's own API keys."""
    return [KeyOut.model_validate(told(key)) for key in await service.of_person(db, person)]


@router.post("/keys", status_code=201, responses=may(service.TooManyKeys))
async def create_key(key: KeyIn, db: Database, person: ProvenOwner, _: MakeLimit) -> NewKeyOut:
    """Make a key with a part of one's own permissions; the secret is shown only in this answer."""
    made = await service.create(db, person, key.name, key.scopes, key.expires_in_days)
    return NewKeyOut.model_validate(told(made.key) | {"secret": made.secret})


@router.post("/keys/{key_id}/renew")
async def renew_key(
    key_id: UUID, renewal: Renewal, db: Database, person: ProvenOwner, _: MakeLimit
) -> NewKeyOut:
    """Give a key a new secret; the old one works on for `grace_hours`."""
    made = await service.renew(
        db, person, key_id, grace_hours=renewal.grace_hours, days=renewal.expires_in_days
    )
    return NewKeyOut.model_validate(told(made.key) | {"secret": made.secret})


@router.delete("/keys/{key_id}", status_code=204)
async def revoke_key(key_id: UUID, db: Database, person: Owner) -> None:
    """Revoke a key of one's own."""
    await service.revoke(db, person, key_id)


@router.get("/organization/keys")
async def list_keys_of_organization(
    db: Database,
    person: Manager,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OwnedKeyPage:
    """The API keys of everyone in the organisation, newest first."""
    found = await service.of_organization(db, before=before, limit=limit + 1)
    page = found[:limit]
    return OwnedKeyPage(
        keys=[
            OwnedKeyOut.model_validate(told(one.key) | {"owner": one.owner, "email": one.email})
            for one in page
        ],
        next=page[-1].key.id if len(found) > limit else None,
    )


@router.delete("/organization/keys/{key_id}", status_code=204)
async def revoke_key_of_organization(key_id: UUID, db: Database, person: Manager) -> None:
    """Revoke anyone's key."""
    await service.revoke(db, person, key_id, anyones=True)
