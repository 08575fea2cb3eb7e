from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.assistant import going_on
from app.assistant.models import Conversation
from app.assistant.service import forget_older
from app.assistant.settings import AssistantSettings
from app.audit import service as audit
from app.core.clock import now
from app.core.db import transaction
from app.jobs.queue import every, task


@every("11 2 * * *")
@task("assistant.forget_old", timeout=3600)
async def forget_old() -> None:
    """Delete the conversations in which nothing was said for as long as they are kept."""
    days = AssistantSettings.load().retention_days
    if not days:
        return
    limit = now() - timedelta(days=days)
    async with transaction(elevated=True) as db:
        query = select(Conversation.organization_id).where(Conversation.updated_at < limit)
        organizations = (await db.scalars(query.distinct())).all()
    for organization_id in organizations:
        async with transaction(elevated=True) as db:
            count = await forget_older(db, organization_id, limit)
            await audit.record(
                db,
                "conversation.expired",
                organization_id=organization_id,
                detail={"conversations": count, "days": days},
            )


@task("assistant.go_on", retries=5, timeout=900)
async def go_on(approval_id: UUID, organization_id: UUID, user_id: UUID) -> None:
    """Answer to a tool that was approved, or say that it was not."""
    await going_on.go_on(approval_id, organization_id, user_id)
