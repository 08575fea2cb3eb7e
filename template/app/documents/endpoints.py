from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from app.access.access import allow, allow_detached
from app.access.person import Person
from app.core.db import Database, transaction
from app.core.errors import Invalid
from app.core.problems import may
from app.documents import figures, names, search, service, uploading
from app.documents.indexing import enqueue_rebuild, read_failed_again
from app.documents.models import Document
from app.documents.multipart import opened
from app.documents.reasons import REASONS
from app.documents.scanner import ScannerUnavailable
from app.documents.schemas import (
    DocumentChange,
    DocumentOut,
    DocumentPage,
    FiguresOut,
    HitOut,
    PassageOut,
    PassagePage,
    Question,
)
from app.limits.dependencies import limited
from app.limits.service import Rate
from app.storage.service import FileTooLarge, StorageUnreachable

router = APIRouter(prefix="/api/documents", tags=["documents"])

Reader = Annotated[Person, allow("documents.read")]
DetachedReader = Annotated[Person, allow_detached("documents.read")]
Writer = Annotated[Person, allow("documents.write")]
DetachedWriter = Annotated[Person, allow_detached("documents.write")]
Manager = Annotated[Person, allow("documents.manage")]

# FastAPI would read the whole body before it asks who sends it; so the endpoint reads it itself.
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "audience": {"enum": ["person", "roles", "organization"]},
                        "roles": {"type": "array", "items": {"type": "string"}},
                        "replaces": {"type": "string", "format": "uuid"},
                        "accept_changes": {"type": "boolean"},
                        "file": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}


@router.get("")
async def list_documents(
    db: Database,
    person: Reader,
    search: Annotated[str, Query(max_length=100)] = "",
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> DocumentPage:
    """The documents that you may read, the newest first."""
    found, following = await service.listed(db, search=search, before=before, limit=limit)
    return DocumentPage(documents=[_out(one) for one in found], next=following)


@router.post(
    "",
    status_code=201,
    openapi_extra=BODY,
    responses=may(
        Invalid, FileTooLarge, StorageUnreachable, ScannerUnavailable,
        service.SharingNotPermitted,
        service.NoSuchDocument,
    ),
)  # fmt: skip
async def upload_document(
    request: Request,
    person: DetachedWriter,
    _: Annotated[None, limited("upload", Rate(per_minute=30), by="person")],
) -> DocumentOut:
    """Upload a file: the fields first, then `file`. It is read in the background.

    With `replaces` it is a new version of that document, which goes when this one is ready. A table
    must then have the columns that it had, unless `accept_changes` is true.
    """
    upload = await opened(request)
    try:
        wanted = uploading.Wanted.model_validate(uploading.fields_of(upload))
    except ValidationError as error:
        fields = {str(one["loc"][0]): str(one["msg"]) for one in error.errors()}
        raise Invalid("Some of what was sent is not valid.", errors=fields) from None
    return _out(await uploading.receive(person, upload, wanted))


@router.get("/search")
async def search_documents(
    person: DetachedReader,
    question: Annotated[Question, Query(alias="q")],
    _: Annotated[None, limited("search", Rate(per_minute=60), by="person")],
    limit: Annotated[int, Query(ge=1, le=30)] = 10,
) -> list[HitOut]:
    """The passages that have most to do with a question, of all documents that you may read."""
    found = await search.search(person, question, limit=limit)
    return [HitOut.model_validate(one) for one in found]


@router.get("/figures")
async def document_figures(db: Database, person: Manager) -> FiguresOut:
    """How complete, consistent and current the organisation's documents are."""
    return FiguresOut.model_validate(await figures.of_organization(db, person.organization_id))


@router.post("/index", status_code=202, response_class=Response)
async def rebuild_index(db: Database, person: Manager) -> Response:
    """Build the index anew when settings have changed it; the old one is searched meanwhile.

    What could not be read is tried again.
    """
    await enqueue_rebuild(db, person.organization_id)
    await read_failed_again(db, person.organization_id)
    return Response(status_code=202)


@router.get("/{document_id}", responses=may(service.NoSuchDocument))
async def read_document(document_id: UUID, db: Database, person: Reader) -> DocumentOut:
    return _out(await service.get(db, document_id))


@router.get("/{document_id}/passages", responses=may(service.NoSuchDocument))
async def read_passages(
    document_id: UUID,
    db: Database,
    person: Reader,
    after: Annotated[int, Query(ge=-1, le=1_000_000)] = -1,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> PassagePage:
    """What was read, piece by piece."""
    document = await service.get(db, document_id)
    found = await service.passages(db, document, after=after, limit=limit + 1)
    return PassagePage(
        passages=[PassageOut.model_validate(one) for one in found[:limit]],
        next=found[limit - 1].place if len(found) > limit else None,
    )


@router.get(
    "/{document_id}/file",
    response_class=StreamingResponse,
    responses=may(service.NoSuchDocument, StorageUnreachable),
)
async def download_document(document_id: UUID, person: DetachedReader) -> StreamingResponse:
    """The file as it was uploaded, always as an attachment."""
    return await download(person, document_id)


async def download(person: Person, document_id: UUID) -> StreamingResponse:
    """No browser shows it, whatever is in it: no type that it renders, and never inline."""
    whose = (person.organization_id, person.user_id)
    async with transaction(organization_id=whose[0], user_id=whose[1]) as db:
        document = await service.get(db, document_id)
    pieces = service.file_of(document)
    first = await anext(pieces, b"")  # What is wrong with it shows before the answer begins.

    async def whole() -> Any:
        yield first
        async for piece in pieces:
            yield piece

    return StreamingResponse(
        whole(),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": names.disposition(document.name),
            "Content-Length": str(document.size),
        },
    )


@router.patch(
    "/{document_id}",
    responses=may(service.NoSuchDocument, service.NotYours, service.UnknownRole),
)
async def share_document(
    document_id: UUID, change: DocumentChange, db: Database, person: Writer
) -> DocumentOut:
    """Say who may read it: you alone, people of some roles, or the organisation."""
    return _out(await service.share(db, person, document_id, change.audience, change.roles))


@router.delete(
    "/{document_id}", status_code=204, responses=may(service.NoSuchDocument, service.NotYours)
)
async def delete_document(document_id: UUID, db: Database, person: Writer) -> None:
    """Delete it for good: the file, its text and its vectors."""
    await service.remove(db, person, document_id)


def _out(document: Document) -> DocumentOut:
    told = DocumentOut.model_validate(document)
    return told.model_copy(update={"explanation": REASONS.get(document.reason or "")})
