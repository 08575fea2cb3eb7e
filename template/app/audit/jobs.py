"""Anchors every few minutes, and each night a look over every chain."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import chain
from app.audit.models import Anchor, Head
from app.audit.verification import chains, verify
from app.core.db import transaction
from app.core.logging import log
from app.jobs.queue import every, task


@every("*/5 * * * *")
@task("audit.anchor", retries=1)
async def anchor() -> None:
    """Seal each head that moved, in a row and in the log stream: who rewrites must reach both."""
    async with transaction(elevated=True) as db:
        made = await anchor_heads(db)
    for one in made:
        log.info("audit.anchored", **chain.told(one))


async def anchor_heads(db: AsyncSession) -> list[Anchor]:
    """Seal the heads that moved since they were last sealed."""
    sealed = (
        select(Anchor.id)
        .where(Anchor.organization_id.is_not_distinct_from(Head.organization_id))
        .where(Anchor.sequence == Head.sequence)
    )
    moved = await db.scalars(select(Head).where(Head.sequence > 0, ~sealed.exists()))
    made = [chain.anchor(head) for head in moved]
    db.add_all(made)
    await db.flush()
    return made


@every("17 3 * * *")
@task("audit.verify", retries=1, timeout=3600)
async def look_over() -> None:
    """Verify every chain; `audit.tampered` in the log is an alarm."""
    async with transaction(elevated=True) as db:
        known = await chains(db)
    for organization_id in known:
        async with transaction(elevated=True, organization_id=organization_id) as db:
            report = await verify(db, organization_id)
        if report.findings:
            log.error("audit.tampered", organization_id=organization_id, findings=report.findings)
        if report.notes:
            log.warning("audit.unproven", organization_id=organization_id, notes=report.notes)
