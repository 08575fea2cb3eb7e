"""The audit log for administrators."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.access.access import allow
from app.access.person import Person
from app.audit import service
from app.audit.filters import Before, Wanted
from app.core.db import Database
from app.web import render
from app.web.forms import blank
from app.web.navigation import Link

router = APIRouter(prefix="/admin/audit", include_in_schema=False)

NAVIGATION = [Link("Audit log", "/admin/audit", "audit.read", "Administration", "list", 80)]
FILTERS = ("action", "person", "from", "to")


def told(value: object) -> str:
    """What an event's detail says, for people to read."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {told(one)}" for name, one in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(map(told, value)) or "–"
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    return str(value)


@router.get("")
async def show(
    request: Request,
    db: Database,
    person: Annotated[Person, allow("audit.read")],
    wanted: Wanted,
    before: Before = None,
) -> HTMLResponse:
    page = await service.search(db, person.organization_id, wanted, before=before)
    names = await service.names(db, page.events, wanted.user_id)
    chosen = {name: request.query_params.get(name, "") for name in FILTERS}
    kept = {name: value for name, value in chosen.items() if value}

    def link(path: str = "/admin/audit", **changed: object) -> str:
        return f"{path}?{urlencode(kept | changed)}"

    return render(
        request,
        "audit/events.html",
        person=person,
        events=page.events,
        names=names,
        sentence=service.sentence,
        told=told,
        wanted=wanted,
        form=blank(**chosen),
        filtered=bool(kept),
        link=link,
        older=link(before=page.before) if page.before else None,
        newest=link() if before else None,
    )
