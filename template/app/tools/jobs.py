from datetime import timedelta

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.clock import now
from app.core.db import transaction
from app.jobs.queue import every, task
from app.tools.decided import Decided, tell
from app.tools.models import ToolApproval
from app.tools.settings import ToolsSettings


@every("*/5 * * * *")
@task("tools.expire", retries=1)
async def expire() -> None:
    """End what waited too long, and what a killed process left running: nobody runs it again."""
    async with transaction(elevated=True) as db:
        waiting = ToolApproval.state == "waiting", ToolApproval.expires_at <= now()
        running = ToolApproval.state == "running", ToolApproval.running_until <= now()
        await _end(db, waiting, state="expired", reason="")
        await _end(db, running, state="failed", reason="interrupted")


async def _end(db: AsyncSession, which: tuple[object, object], state: str, reason: str) -> None:
    ended = await db.execute(
        update(ToolApproval)
        .where(*which)  # type: ignore[arg-type]
        .values(state=state, reason=reason)
        .returning(
            ToolApproval.id,
            ToolApproval.organization_id,
            ToolApproval.user_id,
            ToolApproval.conversation_id,
            ToolApproval.tool,
        )
        .execution_options(synchronize_session=False)
    )
    for row in ended:
        await tell(db, Decided(row.id, row.organization_id, row.user_id, row.conversation_id))
        await audit.record(
            db,
            f"tool.{state}",
            organization_id=row.organization_id,
            on_behalf_of=row.user_id,
            target=row.id,
            detail={"tool": row.tool, "reason": reason},
        )


@every("47 3 * * *")
@task("tools.clean_up")
async def clean_up() -> None:
    """Delete what was decided long ago."""
    limit = now() - timedelta(days=ToolsSettings.load().keep_days)
    async with transaction(elevated=True) as db:
        await db.execute(
            delete(ToolApproval).where(
                ToolApproval.created_at < limit, ToolApproval.state.not_in(["waiting", "running"])
            )
        )
