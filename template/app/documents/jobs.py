from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, or_, select, text

from app.core.clock import now
from app.core.db import transaction
from app.core.errors import Problem
from app.core.logging import log
from app.documents import indexing
from app.documents.models import Document, DocumentIndex, RemovedFile
from app.jobs.queue import attempt, enqueue, every, task
from app.storage import service as storage
from app.users.models import Membership

FILES_AT_ONCE = 200
HOURS_TO_ARRIVE = 2
AT_WORK = text(
    "SELECT args->>'document_id' FROM procrastinate_jobs"
    " WHERE task_name = 'documents.index' AND status IN ('todo', 'doing')"
)


@task("documents.index", retries=5, timeout=900)
async def index(document_id: UUID) -> None:
    """Read, check, split and embed one document."""
    try:
        await indexing.index(document_id)
    except Exception:
        if attempt.get().last:
            await indexing.fail(document_id)
        raise


@task("documents.rebuild", retries=10, timeout=6 * 3600)
async def rebuild(organization_id: UUID, anew: bool = False) -> None:
    """Build the index anew beside the one that is searched, and change over."""
    await indexing.rebuild(organization_id, anew=anew)


@every("*/10 * * * *")
@task("documents.remove_files", retries=3)
async def remove_files() -> None:
    """Delete the files whose documents are gone, however they went."""
    last = ""
    while True:
        async with transaction(elevated=True) as db:
            query = select(RemovedFile.name).where(RemovedFile.name > last)
            names = (await db.scalars(query.order_by(RemovedFile.name).limit(FILES_AT_ONCE))).all()
        removed = []
        for name in names:
            try:
                await storage.remove(name)
            except Problem as problem:
                log.warning("documents.file_not_removed", problem=problem.type)
                continue
            removed.append(name)
        async with transaction(elevated=True) as db:
            await db.execute(delete(RemovedFile).where(RemovedFile.name.in_(removed)))
        # What could not be deleted is tried again in ten minutes, and keeps no other file here.
        if len(names) < FILES_AT_ONCE:
            return
        last = names[-1]


@every("23 * * * *")
@task("documents.sweep")
async def sweep() -> None:
    """Delete what never arrived and what nobody can see any more, and keep indexes current."""
    late = now() - timedelta(hours=HOURS_TO_ARRIVE)
    # Whoever left keeps an account where they also belong to another organisation.
    belongs = select(Membership.id).where(
        Membership.user_id == Document.owner_id,
        Membership.organization_id == Document.organization_id,
    )
    lost = or_(
        (Document.state == "uploading") & (Document.created_at < late),
        (Document.audience == "person") & ~belongs.exists(),
    )
    await _end_forgotten(late)
    async with transaction(elevated=True) as db:
        await db.execute(delete(Document).where(lost))
        await enqueue(db, "documents.remove_files")
        stale = select(DocumentIndex.organization_id).where(
            DocumentIndex.live_kind != indexing.kind()
        )
        organizations = (await db.scalars(stale)).all()
    await storage.sweep(before=late)
    for organization_id in organizations:
        await indexing.ask_for_rebuild(organization_id)


async def _end_forgotten(late: datetime) -> None:
    """Say of what waits to be read that it is not, when its job is gone: it took its workers along.

    Otherwise its page would say for ever that it is being read.
    """
    async with transaction(elevated=True) as db:
        waiting = select(Document.id).where(Document.state == "waiting", Document.created_at < late)
        found = (await db.scalars(waiting)).all()
    if not found:
        return
    async with transaction() as db:
        at_work = {UUID(one) for one in await db.scalars(AT_WORK)}
    for document_id in found:
        if document_id not in at_work:
            log.error("documents.forgotten", document_id=str(document_id))
            await indexing.fail(document_id)
