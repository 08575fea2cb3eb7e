"""People with an account elsewhere: a directory's word does not make them members, their own does.

They get an invitation. Until they accept it the directory sees them as inactive, under an id that
is not their account's and that they keep. When it switches them off or deletes them before, the
invitation is withdrawn.
"""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.roles import Role
from app.audit import service as audit
from app.core.clock import now
from app.modules import has
from app.scim.models import ScimUser
from app.users import inviting, policies
from app.users.models import Invitation

CAN_JOIN = has("organizations")
"""Where there is one organisation only, nobody accepts an invitation with an account."""


async def ask(db: AsyncSession, organization_id: UUID, user_id: UUID, email: str) -> None:
    """One open invitation; also one that an administrator sent will do."""
    await policies.refuse_address(db, organization_id, email)
    invitation = await db.scalar(
        select(Invitation)
        .where(func.lower(Invitation.email) == email.lower(), Invitation.expires_at > now())
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
    )
    if invitation is None:
        invitation = await inviting.send(
            db, organization_id, email, Role.MEMBER, inviter="An administrator"
        )
        await _record(db, "invitation.sent", organization_id, invitation.id)
    await _keep(db, user_id, invitation.id)


async def follow(db: AsyncSession, organization_id: UUID, user_id: UUID, *, active: bool) -> None:
    """What the directory wants of somebody who is no member yet.

    Who declined is not asked again until the directory switches them off and on.
    """
    invitation = await db.scalar(
        select(Invitation)
        .join(ScimUser, ScimUser.invitation_id == Invitation.id)
        .where(ScimUser.user_id == user_id)
    )
    if not active:
        await _withdraw(db, organization_id, invitation)
        await _keep(db, user_id, None)
    elif invitation is None:
        email = await db.scalar(
            select(ScimUser.asked_at_address).where(ScimUser.user_id == user_id)
        )
        await ask(db, organization_id, user_id, str(email))
    elif invitation.accepted_at or (not invitation.revoked_at and invitation.expires_at <= now()):
        # It was never answered, or the person has left since.
        await ask(db, organization_id, user_id, invitation.email)


async def _withdraw(db: AsyncSession, organization_id: UUID, invitation: Invitation | None) -> None:
    if invitation is None:
        return
    withdrawn = await db.scalar(
        update(Invitation)
        .where(Invitation.id == invitation.id)
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(Invitation.id)
    )
    if withdrawn:
        await _record(db, "invitation.revoked", organization_id, withdrawn)


async def _keep(db: AsyncSession, user_id: UUID, invitation_id: UUID | None) -> None:
    await db.execute(
        update(ScimUser).where(ScimUser.user_id == user_id).values(invitation_id=invitation_id)
    )


async def _record(db: AsyncSession, action: str, organization_id: UUID, target: UUID) -> None:
    await audit.record(
        db, action, organization_id=organization_id, target=target, detail={"by": "scim"}
    )
