from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import allow, allow_detached
from app.access.person import Person
from app.core.db import Database
from app.core.errors import Problem
from app.documents import figures, indexing, service, uploading
from app.documents.models import Document
from app.documents.multipart import opened
from app.documents.quality import WARNINGS
from app.documents.reasons import REASONS
from app.documents.schemas import DocumentChange
from app.documents.settings import DocumentsSettings
from app.users import roles
from app.web import flash, render
from app.web.forms import blank, read
from app.web.navigation import Link

router = APIRouter(include_in_schema=False)

NAVIGATION = [
    Link("Documents", "/documents", "documents.read", icon="document", order=20),
    Link(
        "Document quality",
        "/admin/documents",
        "documents.manage",
        "Use and quality",
        "document",
        75,
    ),
]
KINDS = {
    "pdf": "PDF",
    "docx": "Word",
    "html": "HTML",
    "markdown": "Markdown",
    "csv": "Table",
    "text": "Text",
    "png": "Picture",
    "jpeg": "Picture",
}
STATES = {
    "waiting": ("Being read", "accent"),
    "ready": ("Ready", "success"),
    "refused": ("Refused", "danger"),
    "failed": ("Not read", "danger"),
}
ACCEPTED = ".pdf,.docx,.html,.htm,.md,.markdown,.csv,.tsv,.txt"
PICTURES = ",.png,.jpg,.jpeg"
UNITS = ("bytes", "KB", "MB", "GB", "TB")

Reader = Annotated[Person, allow("documents.read")]
Writer = Annotated[Person, allow("documents.write")]
Manager = Annotated[Person, allow("documents.manage")]


@router.get("/documents")
async def show_documents(
    request: Request,
    db: Database,
    person: Reader,
    search: Annotated[str, Query(max_length=100)] = "",
    before: UUID | None = None,
) -> HTMLResponse:
    found, following = await service.listed(db, search=search, before=before)
    more = {"before": following} | ({"search": search} if search else {})
    return render(
        request,
        "documents/list.html",
        person=person,
        documents=found,
        search=search,
        is_first=before is None,
        following=f"?{urlencode(more)}" if following else None,
        **await _common(db, person),
    )


@router.post("/documents")
async def upload(
    request: Request, person: Annotated[Person, allow_detached("documents.write")]
) -> Response:
    """Without script; with it the page sends the file to the API and shows how far it is."""
    try:
        sent = await opened(request)
        wanted = uploading.Wanted.model_validate(uploading.fields_of(sent))
        document = await uploading.receive(person, sent, wanted)
    except ValidationError:
        return flash.redirect("/documents", "Say who may read the document.", "warning")
    except Problem as problem:
        return flash.redirect("/documents", problem.detail, "danger")
    finally:
        await request.close()  # The file that the form was read into.
    return flash.redirect(f"/documents/{document.id}")


@router.get("/documents/{document_id}")
async def show_document(
    request: Request,
    document_id: UUID,
    db: Database,
    person: Reader,
    after: Annotated[int, Query(ge=-1, le=1_000_000)] = -1,
) -> HTMLResponse:
    document = await service.get(db, document_id)
    found = await service.passages(db, document, after=after, limit=21)
    return render(
        request,
        "documents/document.html",
        person=person,
        document=document,
        passages=found[:20],
        following=f"?after={found[19].place}" if len(found) > 20 else None,
        is_first=after < 0,
        explanation=REASONS.get(document.reason or "", ""),
        warnings=[WARNINGS[one] for one in document.notes.get("warnings", [])],
        changes=service.may_change(person, document) and "documents.write" in person.permissions,
        sharing=blank(audience=document.audience, roles=document.roles),
        **await _common(db, person),
    )


@router.post("/documents/{document_id}/share")
async def share(request: Request, document_id: UUID, db: Database, person: Writer) -> Response:
    form = await read(request, DocumentChange)
    page = f"/documents/{document_id}"
    if form.data is None:
        return flash.redirect(page, "Say who may read the document.", "warning")
    try:
        async with db.begin_nested():
            await service.share(db, person, document_id, form.data.audience, form.data.roles)
    except (service.UnknownRole, service.NotYours, service.SharingNotPermitted) as problem:
        return flash.redirect(page, problem.detail, "warning")
    return flash.redirect(page, "Saved. It holds from now on.")


@router.post("/documents/{document_id}/delete")
async def delete(document_id: UUID, db: Database, person: Writer) -> Response:
    await service.remove(db, person, document_id)
    return flash.redirect("/documents", "The document is deleted.")


@router.get("/admin/documents")
async def show_figures(request: Request, db: Database, person: Manager) -> HTMLResponse:
    told = await figures.of_organization(db, person.organization_id)
    return render(
        request,
        "documents/quality.html",
        person=person,
        figures=told,
        reasons=[(REASONS[name], count) for name, count in told.reasons.items()],
        is_current=not told.index_kind or told.index_kind == indexing.kind(),
        stale_days=DocumentsSettings.load().stale_days,
        sized=sized,
        percent=_percent,
    )


@router.post("/admin/documents/index")
async def rebuild(db: Database, person: Manager) -> Response:
    await indexing.enqueue_rebuild(db, person.organization_id)
    await indexing.read_failed_again(db, person.organization_id)
    return flash.redirect("/admin/documents", "The index is being built anew.")


async def _common(db: AsyncSession, person: Person) -> dict[str, Any]:
    names = await roles.names(db)
    shares = "documents.share" in person.permissions
    return {
        "names": names,
        "kinds": KINDS,
        "states": STATES,
        "sized": sized,
        "accepted": ACCEPTED + (PICTURES if DocumentsSettings.load().ocr != "none" else ""),
        "largest": sized(DocumentsSettings.load().largest_bytes),
        "form": blank(audience="person"),
        "audiences": [
            ("person", "Only you", ""),
            *(
                [
                    ("roles", "People with these roles", ""),
                    ("organization", "Everyone in the organisation", ""),
                ]
                if shares
                else []
            ),
        ],
        "role_choices": list(names.items()) if shares else [],
        "readers": lambda document: _readers(document, person, names),
    }


def _readers(document: Document, person: Person, names: dict[str, str]) -> str:
    if document.audience == "organization":
        return "Everyone in the organisation"
    if document.audience == "roles":
        return ", ".join(names.get(one, "a role that is gone") for one in document.roles)
    return "Only you" if document.owner_id == person.user_id else "Its owner"


def sized(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 or size >= 10 else f"{size:.1f} {UNITS[unit]}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
