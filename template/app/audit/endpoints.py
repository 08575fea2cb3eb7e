from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.access.access import allow, allow_detached
from app.access.person import Person
from app.audit import export, service
from app.audit.filters import Before, Wanted
from app.audit.schemas import EventOut, EventPage
from app.core.clock import now
from app.core.db import Database, transaction

router = APIRouter(prefix="/api/audit", tags=["audit"])

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


@router.get("")
async def list_events(
    db: Database,
    person: Annotated[Person, allow("audit.read")],
    wanted: Wanted,
    before: Before = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EventPage:
    """The organisation's events, newest first."""
    page = await service.search(db, person.organization_id, wanted, before=before, limit=limit)
    events = [EventOut.model_validate(event) for event in page.events]
    return EventPage(events=events, next=page.before)


@router.get("/export", response_class=StreamingResponse)
async def export_events(
    person: Annotated[Person, allow_detached("audit.read")],
    wanted: Wanted,
    format: export.Format = "csv",  # noqa: A002 the parameter's name is part of the API
) -> StreamingResponse:
    """The organisation's events as a file, oldest first. That it was read is an event, too."""
    async with transaction(organization_id=person.organization_id) as db:
        await service.record(db, "audit.exported", person=person, detail={"format": format})
    name = f"audit-{now():%Y-%m-%d}.{format}"
    return StreamingResponse(
        export.stream(person, wanted, format),
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
