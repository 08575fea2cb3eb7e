from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import now
from app.core.crypto import digest, new_token
from app.core.settings import get_settings
from app.mail import service as mail
from app.users.models import Invitation, Organization

LIFETIME = timedelta(days=7)


async def send(
    db: AsyncSession,
    organization_id: UUID,
    email: str,
    role: str,
    *,
    inviter: str,
    invited_by: UUID | None = None,
) -> Invitation:
    """Mail it. Who may invite this address to this role, the caller has looked at."""
    token = new_token()
    invitation = Invitation(
        organization_id=organization_id,
        email=email,
        role=role,
        token_digest=digest(token),
        invited_by=invited_by,
        expires_at=now() + LIFETIME,
    )
    db.add(invitation)
    await db.flush()
    await mail.send(
        db,
        email,
        "users/invitation",
        inviter=inviter,
        organization=(await db.get_one(Organization, organization_id)).name,
        link=f"{get_settings().public_url}/sign-up?invitation={token}",
    )
    return invitation
