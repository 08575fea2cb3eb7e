"""Keys act in the name of their owner, in whichever organisation. A password does not end them."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.api_keys.models import ApiKey
from app.audit import service as audit
from app.auth.opens import Opener
from app.core.clock import now


async def of(db: AsyncSession, user_id: UUID) -> list[Opener]:
    """By the secret that each has now: whoever renews a key keeps its name and has a new one."""
    mine = select(ApiKey).where(
        ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now()
    )
    return [
        Opener(
            "API key",
            f"{one.name} (…{one.ending})",
            one.renewed_at or one.created_at,
            "/account/keys",
            for_programs=True,
            organization_id=one.organization_id,
        )
        for one in await db.scalars(mine)
    ]


async def end(db: AsyncSession, user_id: UUID) -> None:
    ended = await db.execute(
        update(ApiKey)
        .where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now())
        .values(revoked_at=now())
        .returning(ApiKey.organization_id, ApiKey.id)
    )
    # In order, so that two at once do not wait for each other's chains.
    for organization_id, key_id in sorted(ended.all()):
        await audit.record(
            db,
            "api_key.revoked",
            organization_id=organization_id,
            user_id=user_id,
            target=key_id,
            detail={"by": "reset"},
        )
