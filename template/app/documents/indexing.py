"""Read, check, split and embed documents; and build a new index while the old one is searched.

An index has a number and a kind: what made its vectors and how texts are split. Passages carry the
number; searches look at the live one. When the settings change the kind, all documents are written
once more under the next number, and in one moment that number is the live one.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from app.cache import service as cache
from app.core.clock import now
from app.core.db import elevated, transaction
from app.core.ids import uuid7
from app.core.logging import log
from app.documents import quality, recognition, service, splitting
from app.documents.models import Document, DocumentIndex, DocumentKey, Passage
from app.documents.reading.content import Refused
from app.documents.settings import DocumentsSettings
from app.documents.splitting import Piece
from app.jobs.queue import attempt, enqueue
from app.llm import embeddings
from app.storage import service as storage
from app.storage.service import FileDamaged, NoSuchFile

FEATURE = "documents"
ROWS_AT_ONCE = 200


class IndexMoved(Exception):
    """Another index became live meanwhile: the job is to be done again."""


def kind() -> str:
    """What makes vectors and passages with the settings of now."""
    size = DocumentsSettings.load().passage_characters
    return f"{embeddings.chosen()} split-{splitting.VERSION}-{size}"


def model_of(kind: str) -> str:
    return kind.rpartition(" ")[0]


async def index(document_id: UUID) -> None:
    """Bring one document into the index that is live, and into the one that is being built."""
    async with transaction(elevated=True) as db:
        document = await db.get(Document, document_id)
        if document is None or document.state not in {"waiting", "ready", "failed"}:
            return
        state = await _index_of(db, document.organization_id)
        before = await _columns_before(db, document)
    if state.building is None and state.live_kind != kind():
        await ask_for_rebuild(document.organization_id)
    versions = _versions(state)
    try:
        pieces, notes = await _read(document, before)
    except Refused as refusal:
        await _refuse(document, refusal.reason)
        return
    rows = await _rows(document, pieces, versions)
    async with transaction(elevated=True) as db:
        await _keep(db, document, versions, rows, notes)


async def rebuild(organization_id: UUID, *, anew: bool = False) -> None:
    """Write every document anew, then search the new index. Goes on where it was broken off.

    When the live index is what the settings ask for, that is only done if it is wanted `anew`.
    """
    version = await _begin_building(organization_id, anew)
    if version is None:
        return
    number, made_by = version
    while document := await _next_to_build(organization_id, number):
        try:
            pieces, _ = await _read(document, [])
        except Refused as refusal:
            await _set_aside(document, refusal.reason)
            continue
        except NoSuchFile:
            # One file is lost, or the whole store is not there now: that passes.
            if not attempt.get().last:
                raise
            await _set_aside(document, "damaged")
            continue
        rows = await _rows(document, pieces, {number: made_by})
        async with transaction(elevated=True) as db:
            if await db.get(Document, document.id, with_for_update=True):
                await _replace(db, document.id, [number], rows)
    if await _swap(organization_id, number):
        log.info("documents.index_live", version=number)
    else:  # A document became ready between the last look and the change.
        await rebuild(organization_id)


async def _begin_building(organization_id: UUID, anew: bool) -> tuple[int, str] | None:
    async with transaction(elevated=True) as db:
        state = await _index_of(db, organization_id, lock=True)
        if state.building_kind == kind() and state.building is not None:
            return state.building, state.building_kind
        if state.live_kind == kind() and not anew:
            if state.building is not None:  # The settings went back to what they were.
                await _forget(db, organization_id, state.building)
                state.building = state.building_kind = None
            return None
        if state.building is not None:
            await _forget(db, organization_id, state.building)
        state.building = max(state.live, state.building or 0) + 1
        state.building_kind = kind()
        return state.building, state.building_kind


async def _next_to_build(organization_id: UUID, version: int) -> Document | None:
    async with transaction(elevated=True) as db:
        query = _missing(organization_id, version).order_by(Document.id).limit(1)
        return (await db.scalars(query)).one_or_none()


def _missing(organization_id: UUID, version: int) -> Select[Document]:
    has = select(Passage.id).where(Passage.document_id == Document.id, Passage.version == version)
    return select(Document).where(
        Document.organization_id == organization_id, Document.state == "ready", ~has.exists()
    )


async def _swap(organization_id: UUID, version: int) -> bool:
    """Make it the live one, unless a document is still missing in it."""
    async with transaction(elevated=True) as db:
        # Who finishes a document holds this row for reading: nobody does while we look.
        state = await _index_of(db, organization_id, lock=True)
        if state.building != version or state.building_kind is None:
            return True
        if await db.scalar(_missing(organization_id, version).limit(1)):
            return False
        old, state.live, state.live_kind = state.live, version, state.building_kind
        state.building = state.building_kind = None
        state.built_at = now()
        await db.flush()
        await _forget(db, organization_id, old)
    return True


async def _forget(db: AsyncSession, organization_id: UUID, version: int) -> None:
    await db.execute(
        delete(Passage).where(
            Passage.organization_id == organization_id, Passage.version == version
        )
    )


async def _index_of(
    db: AsyncSession, organization_id: UUID, *, lock: bool = False
) -> DocumentIndex:
    await db.execute(
        upsert(DocumentIndex)
        .values(id=uuid7(), organization_id=organization_id, live=1, live_kind=kind())
        .on_conflict_do_nothing()
    )
    query = select(DocumentIndex).where(DocumentIndex.organization_id == organization_id)
    return (await db.scalars(query.with_for_update() if lock else query)).one()


def _versions(state: DocumentIndex) -> dict[int, str]:
    found = {state.live: state.live_kind}
    if state.building is not None and state.building_kind:
        found[state.building] = state.building_kind
    return found


async def _read(
    document: Document, before: list[dict[str, Any]]
) -> tuple[list[Piece], dict[str, Any]]:
    try:
        content = await recognition.read(document.kind, lambda: service.file_of(document))
    except (FileDamaged, service.FileNotKept) as error:
        raise Refused("damaged") from error
    blocks, notes = quality.checked(content)
    if before and not document.accepts_changes:
        quality.refuse_changed_columns(before, notes.get("columns", []))
    pieces = splitting.split(blocks, DocumentsSettings.load().passage_characters)
    return pieces, notes | {"passages": len(pieces)}


async def _columns_before(db: AsyncSession, document: Document) -> list[dict[str, Any]]:
    if document.replaces_id is None:
        return []
    earlier = await db.get(Document, document.replaces_id)
    return list(earlier.notes.get("columns", [])) if earlier else []


async def _rows(
    document: Document, pieces: Sequence[Piece], versions: dict[int, str]
) -> list[dict[str, Any]]:
    """The passages for each version; without vectors where their model cannot be reached now."""
    rows: list[dict[str, Any]] = []
    texts = [f"{one.heading}\n{one.text}" if one.heading else one.text for one in pieces]
    for version, made_by in versions.items():
        vectors: Sequence[list[float] | None] = [None] * len(pieces)
        if embeddings.can_make(model_of(made_by)):
            vectors = await embeddings.embed(
                texts,
                organization_id=document.organization_id,
                user_id=document.owner_id,
                feature=FEATURE,
                model=model_of(made_by),
            )
        rows += [
            {
                "id": uuid7(),
                "organization_id": document.organization_id,
                "document_id": document.id,
                "version": version,
                "place": place,
                "page": piece.page,
                "heading": piece.heading[:620],
                "text": piece.text,
                # One of zeros only is near to nothing.
                "embedding": vector if vector and any(vector) else None,
            }
            for place, (piece, vector) in enumerate(zip(pieces, vectors, strict=True))
        ]
    return rows


async def _keep(
    db: AsyncSession,
    document: Document,
    versions: dict[int, str],
    rows: list[dict[str, Any]],
    notes: dict[str, Any],
) -> None:
    """All of a document or nothing: a worker that dies leaves no half of one behind."""
    current = await db.scalar(
        select(DocumentIndex)
        .where(DocumentIndex.organization_id == document.organization_id)
        .with_for_update(read=True)
    )
    if current is None or _versions(current) != versions:
        raise IndexMoved
    if document.replaces_id is not None:
        # The one before first, as whoever deletes it locks them in this order, too.
        await db.get(Document, document.replaces_id, with_for_update=True)
    found = await db.get(Document, document.id, with_for_update=True)
    if found is None:
        return  # Deleted meanwhile.
    await _replace(db, document.id, list(versions), rows)
    found.state, found.reason, found.notes = "ready", None, notes
    found.ready_at = found.ready_at or now()
    await cache.forget_documents(db, document.organization_id)
    if found.replaces_id is not None:
        await db.execute(delete(Document).where(Document.id == found.replaces_id))
        await enqueue(db, "documents.remove_files")


async def _replace(
    db: AsyncSession, document_id: UUID, versions: list[int], rows: list[dict[str, Any]]
) -> None:
    await db.execute(
        delete(Passage).where(Passage.document_id == document_id, Passage.version.in_(versions))
    )
    for start in range(0, len(rows), ROWS_AT_ONCE):
        await db.execute(insert(Passage), rows[start : start + ROWS_AT_ONCE])


async def _refuse(document: Document, reason: str) -> None:
    """What is refused is not kept: no passages, and no file. What was read before is."""
    if document.ready_at is not None:
        await _set_aside(document, reason)
        return
    async with transaction(elevated=True) as db:
        await db.execute(delete(Passage).where(Passage.document_id == document.id))
        await db.execute(delete(DocumentKey).where(DocumentKey.document_id == document.id))
        await db.execute(
            update(Document)
            .where(Document.id == document.id)
            .values(state="refused", reason=reason, sha256=None, size=0)
        )
    await storage.remove(document.file_name)


async def _set_aside(document: Document, reason: str) -> None:
    """It could be read once and cannot be now: it is not found any more, and its file is kept."""
    log.warning("documents.not_read_again", document_id=str(document.id), reason=reason)
    async with transaction(elevated=True) as db:
        await db.execute(delete(Passage).where(Passage.document_id == document.id))
        await db.execute(
            update(Document).where(Document.id == document.id).values(state="failed", reason=reason)
        )
        await cache.forget_documents(db, document.organization_id)


async def fail(document_id: UUID) -> None:
    """No try is left: say so."""
    async with transaction(elevated=True) as db:
        await db.execute(
            update(Document)
            .where(Document.id == document_id, Document.state == "waiting")
            .values(state="failed")
        )


async def enqueue_rebuild(db: AsyncSession, organization_id: UUID) -> None:
    await enqueue(
        db,
        "documents.rebuild",
        organization_id=organization_id,
        lock=f"documents.rebuild {organization_id}",
        queueing_lock=f"documents.rebuild {organization_id}",
    )


async def read_failed_again(db: AsyncSession, organization_id: UUID) -> int:
    """Let what could not be read be tried once more; how many there are."""
    async with elevated(db):  # Those of everyone in the organisation, seen or not.
        query = select(Document.id).where(
            Document.organization_id == organization_id, Document.state == "failed"
        )
        found = (await db.scalars(query)).all()
    for document_id in found:
        await enqueue(
            db,
            "documents.index",
            document_id=document_id,
            queueing_lock=f"documents.index {document_id}",
        )
    return len(found)


async def ask_for_rebuild(organization_id: UUID) -> None:
    async with transaction() as db:
        await enqueue_rebuild(db, organization_id)
