"""Mails about approvals: to those who may decide, and to who asked. Nothing of what was asked."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.clock import now
from app.core.db import elevated
from app.mail import links
from app.mail import service as mail
from app.tools.models import ToolApproval
from app.tools.registry import Tool, tools
from app.users.entitled import entitled, reader

# A model that asks again and again fills no inbox.
QUIET = timedelta(minutes=10)


async def waits(db: AsyncSession, person: Person, row: ToolApproval, wanted: Tool) -> None:
    """Tell everyone who may approve this, but not who asked."""
    if await _were_told(db, row):
        return
    async with elevated(db):
        approvers = await entitled(db, row.organization_id, "tools.approve")
        theirs = await entitled(db, row.organization_id, wanted.permission)
    may = {one.user_id for one in theirs} - {row.user_id}
    for one in approvers:
        if one.user_id in may:
            await mail.send(
                db,
                one.email,
                "tools/waiting",
                name=one.display_name,
                asker=person.display_name,
                title=wanted.title,
                until=f"{row.expires_at:%d %B %Y, %H:%M}",
                link=links.to("/approvals", api="/api/approvals"),
            )


async def _were_told(db: AsyncSession, row: ToolApproval) -> bool:
    earlier = (
        select(ToolApproval.id)
        .where(
            ToolApproval.id != row.id,
            ToolApproval.tool == row.tool,
            ToolApproval.user_id == row.user_id,
            ToolApproval.created_at > now() - QUIET,
        )
        .limit(1)
    )
    return await db.scalar(earlier) is not None


async def decided(db: AsyncSession, person: Person, row: ToolApproval, state: str) -> None:
    """Tell who asked, when somebody else decided."""
    if row.user_id == person.user_id:
        return
    async with elevated(db):
        readers = await reader(db, row.organization_id, row.user_id)
    known = tools().get(row.tool)
    page = f"/chat/{row.conversation_id}" if row.conversation_id else "/"
    for one in readers:
        await mail.send(
            db,
            one.email,
            "tools/decided",
            name=one.display_name,
            title=known.title if known else row.tool,
            state=state,
            link=links.to(page, api="/api/conversations"),
        )
