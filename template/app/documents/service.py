"""Documents as people see them. Row security shows each only what is meant for them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.cache import service as cache
from app.core.crypto import decrypt, encrypt
from app.core.db import elevated, transaction
from app.core.errors import Forbidden, Invalid, NotFound, TooLarge
from app.core.ids import uuid7
from app.documents import names
from app.documents.models import Document, DocumentIndex, DocumentKey, Passage
from app.documents.reasons import FileRefused
from app.documents.settings import DocumentsSettings
from app.jobs.queue import enqueue
from app.storage import service as storage
from app.storage.service import Stored, new_name
from app.users import roles as every_role

Audience = Literal["person", "roles", "organization"]
PAGE = 50


class NoSuchDocument(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such document.")


class NotYours(Forbidden):
    """Only its owner changes a document, or someone who manages documents."""


class SharingNotPermitted(Forbidden):
    pass


class UnknownRole(Invalid):
    def __init__(self) -> None:
        detail = "Choose at least one role of this organisation."
        super().__init__(detail, errors={"roles": detail})


class FilesTooLarge(TooLarge):
    """All files of the organisation together."""


class FileNotKept(NotFound):
    """What was refused is not kept."""


async def listed(
    db: AsyncSession, *, search: str = "", before: UUID | None = None, limit: int = PAGE
) -> tuple[Sequence[Document], UUID | None]:
    """The newest first, and the `before` of the next page, if there is one."""
    query = select(Document).where(Document.state != "uploading").order_by(Document.id.desc())
    if search:
        # The name stands for itself: % and _ are letters here.
        query = query.where(func.strpos(func.lower(Document.name), search.lower()) > 0)
    if before:
        query = query.where(Document.id < before)
    found = (await db.scalars(query.limit(limit + 1))).all()
    return (found, None) if len(found) <= limit else (found[:limit], found[limit - 1].id)


async def get(db: AsyncSession, document_id: UUID, *, lock: bool = False) -> Document:
    query = select(Document).where(Document.id == document_id, Document.state != "uploading")
    found = await db.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NoSuchDocument
    return found


async def live_version(db: AsyncSession) -> int:
    return await db.scalar(select(DocumentIndex.live)) or 1


async def passages(
    db: AsyncSession, document: Document, *, after: int = -1, limit: int = 20
) -> Sequence[Passage]:
    """What was read, in its order."""
    query = (
        select(Passage)
        .where(Passage.document_id == document.id, Passage.place > after)
        .where(Passage.version == await live_version(db))
        .order_by(Passage.place)
    )
    return (await db.scalars(query.limit(limit))).all()


async def begin(
    db: AsyncSession,
    person: Person,
    *,
    name: str,
    kind: str,
    audience: Audience,
    roles: Sequence[str],
    replaces: UUID | None,
    accepts_changes: bool,
) -> Document:
    """A document whose file is about to arrive; until it is there, nobody sees it."""
    await _check_audience(db, person, audience, roles)
    if replaces is not None:
        earlier = await get(db, replaces)
        _must_own(person, earlier)
    await _check_room(db, person)
    document_id = uuid7()
    made = Document(
        id=document_id,
        organization_id=person.organization_id,
        owner_id=person.user_id,
        name=names.clean(name),
        kind=kind,
        size=0,
        file_name=new_name(person.organization_id),
        audience=audience,
        roles=sorted(set(roles)) if audience == "roles" else [],
        state="uploading",
        notes={},
        replaces_id=replaces,
        accepts_changes=accepts_changes,
    )
    db.add(made)
    await db.flush()
    return made


async def arrived(db: AsyncSession, person: Person, document_id: UUID, file: Stored) -> Document:
    """The file is kept: note what opens it, and have it read.

    Raises `FileRefused` or `FilesTooLarge`.
    """
    document = await db.get(Document, document_id, with_for_update=True)
    if document is None:
        raise NoSuchDocument
    # What came at once all found room when it began: here one stands behind the other.
    room = func.hashtextextended(f"room {person.organization_id}", 0)
    await db.execute(select(func.pg_advisory_xact_lock(room)))
    await _check_room(db, person)
    # Of two who send the same at once, the second one is told.
    key = func.hashtextextended(f"{person.organization_id} {file.sha256.hex()}", 0)
    await db.execute(select(func.pg_advisory_xact_lock(key)))
    # Among what the person may see: what is there for others is not told.
    same = (
        select(Document.id)
        .where(Document.organization_id == person.organization_id, Document.sha256 == file.sha256)
        .where(Document.state.in_(("waiting", "ready")))
    )
    if await db.scalar(same.limit(1)):
        raise FileRefused("duplicate")
    document.size, document.sha256, document.state = file.size, file.sha256, "waiting"
    async with elevated(db):
        secret = encrypt(file.secret, _place(document_id))
        db.add(DocumentKey(document_id=document_id, secret=secret))
    await enqueue(db, "documents.index", document_id=document.id)
    detail = {"kind": document.kind, "bytes": file.size, "audience": document.audience}
    await audit.record(db, "document.uploaded", person=person, target=document.id, detail=detail)
    return document


async def give_up(db: AsyncSession, document_id: UUID) -> bool:
    """The file did not arrive: nothing of it stays. Whether there was a document that noted it."""
    document = await db.get(Document, document_id)
    if document is not None:
        await db.delete(document)
        await enqueue(db, "documents.remove_files")
    return document is not None


async def share(
    db: AsyncSession,
    person: Person,
    document_id: UUID,
    audience: Audience,
    roles: Sequence[str] = (),
) -> Document:
    """Say who may read it; it holds for every search from now on."""
    document = await get(db, document_id, lock=True)
    _must_own(person, document)
    if audience == "person" and document.owner_id != person.user_id:
        raise NotYours("Only its owner can make a document private.")
    await _check_audience(db, person, audience, roles)
    document.audience = audience
    document.roles = sorted(set(roles)) if audience == "roles" else []
    await db.flush()
    await cache.forget_documents(db, document.organization_id)
    await audit.record(
        db, "document.shared", person=person, target=document_id, detail={"audience": audience}
    )
    return document


async def remove(db: AsyncSession, person: Person, document_id: UUID) -> None:
    """Delete it with its passages and vectors, and what opens its file; the file goes next."""
    document = await get(db, document_id, lock=True)
    _must_own(person, document)
    await db.delete(document)
    await db.flush()
    await cache.forget_documents(db, person.organization_id)
    await enqueue(db, "documents.remove_files")
    await audit.record(db, "document.deleted", person=person, target=document_id)


def may_change(person: Person, document: Document) -> bool:
    return document.owner_id == person.user_id or "documents.manage" in person.permissions


def _must_own(person: Person, document: Document) -> None:
    if not may_change(person, document):
        raise NotYours("Only its owner can change this document.")


def _place(document_id: UUID) -> str:
    return f"document_keys.secret:{document_id}"


async def _check_audience(
    db: AsyncSession, person: Person, audience: Audience, roles: Sequence[str]
) -> None:
    if audience == "person":
        return
    if "documents.share" not in person.permissions:
        raise SharingNotPermitted("Your role does not allow to show documents to others.")
    if audience == "roles" and (not roles or not set(roles) <= (await every_role.names(db)).keys()):
        raise UnknownRole


async def _check_room(db: AsyncSession, person: Person) -> None:
    most = DocumentsSettings.load().bytes_per_organization
    mine: ColumnElement[bool] = Document.organization_id == person.organization_id
    async with elevated(db):  # The files of everyone in the organisation, seen or not.
        used = await db.scalar(select(func.coalesce(func.sum(Document.size), 0)).where(mine))
    if (used or 0) >= most:
        raise FilesTooLarge("Your organisation's documents have no room left; delete some first.")


async def file_of(document: Document) -> AsyncGenerator[bytes, None]:
    """The file as it was uploaded, piece by piece; who gets it was asked before.

    Raises `FileNotKept` and the problems of `storage`.
    """
    async with transaction(elevated=True) as db:
        query = select(DocumentKey.secret).where(DocumentKey.document_id == document.id)
        secret = await db.scalar(query)
    if secret is None:
        raise FileNotKept("This file was not kept.")
    opens = decrypt(secret, _place(document.id))
    async with aclosing(storage.read(document.file_name, opens)) as pieces:
        async for piece in pieces:
            yield piece
