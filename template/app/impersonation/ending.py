"""It is over when its session is, or the administrator's own: noticed here, recorded and told."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.access.models import Session
from app.audit import service as audit
from app.auth.settings import public_url
from app.core.clock import now
from app.impersonation.models import Impersonation
from app.mail import service as mail
from app.users.models import User


async def settle(db: AsyncSession, *, administrator_id: UUID | None = None) -> int:
    """Close what is over, perhaps of one administrator only; how many. As app_auth."""
    own = aliased(Session)
    query = (
        select(Impersonation, Session, own)
        .outerjoin(Session, Session.id == Impersonation.session_id)
        .outerjoin(own, own.id == Session.impersonator_session_id)
        .where(Impersonation.ended_at.is_(None))
    )
    if administrator_id:
        query = query.where(Impersonation.administrator_id == administrator_id)
    query = query.execution_options(populate_existing=True)
    closed = 0
    for one, session, administrators in (await db.execute(query)).all():
        moment = _over(one, session, administrators)
        if moment is not None:
            closed += await _close(db, one, moment)
    return closed


def _over(one: Impersonation, *both: Session | None) -> datetime | None:
    """When the first of the two sessions ended; None while both live."""
    moments = [one.expires_at]
    for session in both:
        if session is None:
            return now()
        idle = session.last_seen_at + timedelta(seconds=session.idle_seconds)
        moments += [session.expires_at, idle, session.revoked_at or session.expires_at]
    first = min(moments)
    return first if first <= now() else None


async def _close(db: AsyncSession, one: Impersonation, moment: datetime) -> int:
    ours = await db.scalar(
        update(Impersonation)
        .where(Impersonation.id == one.id, Impersonation.ended_at.is_(None))
        .values(ended_at=max(moment, one.created_at))
        .returning(Impersonation.id)
        .execution_options(synchronize_session=False)
    )
    if ours is None:
        return 0
    if one.session_id:
        # So that nothing opens it again, whatever ended it.
        await db.execute(
            update(Session)
            .where(Session.id == one.session_id, Session.revoked_at.is_(None))
            .values(revoked_at=moment)
        )
    seconds = max(0, int((moment - one.created_at).total_seconds()))
    user = await db.get_one(User, one.user_id)
    administrator = await db.get(User, one.administrator_id) if one.administrator_id else None
    await mail.send(
        db,
        user.email,
        "impersonation/ended",
        name=user.display_name,
        administrator=administrator.display_name if administrator else "An administrator",
        began=f"{one.created_at:%Y-%m-%d %H:%M} UTC",
        minutes=max(1, round(seconds / 60)),
        reason=one.reason,
        link=public_url("/account/security"),
    )
    await audit.record(
        db,
        "impersonation.ended",
        organization_id=one.organization_id,
        user_id=one.administrator_id,
        on_behalf_of=one.user_id,
        target=one.id,
        detail={"seconds": seconds},
    )
    return 1
