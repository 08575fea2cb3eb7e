from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.crypto import digest, new_token
from app.core.db import elevated
from app.core.settings import get_settings
from app.mail import service as mail
from app.users import roles
from app.users.models import Invitation, Membership, Organization, User

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


async def withdraw(db: AsyncSession, email: str) -> bool:
    """Withdraw the open invitations to an address; whether there were any."""
    withdrawn = await db.scalars(
        update(Invitation)
        .where(func.lower(Invitation.email) == email.lower(), Invitation.accepted_at.is_(None))
        .where(Invitation.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(Invitation.id)
    )
    return bool(withdrawn.all())


async def withdraw_sent_by(
    db: AsyncSession,
    organization_id: UUID,
    user_id: UUID,
    *,
    by: Person | None = None,
    held: frozenset[str] = frozenset(),
) -> None:
    """Those that someone sent who may not any more: they might lead to an address of their own.

    `by` is who decided it, or else the directory; `held` what they may do from now on.
    """
    sent = await db.scalars(
        select(Invitation)
        .where(Invitation.invited_by == user_id, Invitation.expires_at > now())
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .with_for_update()
    )
    for one in sent.all():
        if "users.manage" in held and held >= await roles.permissions_of(db, one.role):
            continue
        one.revoked_at = now()
        await db.flush()
        await forget_unconfirmed(db, organization_id, one.email)
        await audit.record(
            db,
            "invitation.revoked",
            person=by,
            organization_id=organization_id,
            target=one.id,
            detail=None if by else {"by": "scim"},
        )


async def forget_unconfirmed(db: AsyncSession, organization_id: UUID, email: str) -> None:
    """Who followed an invitation and has still to confirm loses with it the role it offered."""
    here = select(Membership.id).where(
        Membership.user_id == User.id, Membership.organization_id == organization_id
    )
    async with elevated(db):
        await db.execute(
            delete(User).where(
                func.lower(User.email) == email.lower(), User.activated_at.is_(None), here.exists()
            )
        )
