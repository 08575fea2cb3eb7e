"""All organisations, for those who run the app."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.core.db import Database
from app.organizations import listing
from app.organizations.dependencies import Operator
from app.users.operators import is_operator
from app.web import render
from app.web.navigation import Link

PAGE = "/admin/organizations"
LINK = Link(
    "All organisations",
    PAGE,
    "organizations.read_all",
    "Administration",
    "building",
    76,
    shown=is_operator,
)
SECOND_FACTOR = {"optional": "Optional", "admins": "Administrators", "everyone": "Everyone"}

router = APIRouter(include_in_schema=False)


@router.get(PAGE)
async def show_all_organizations(
    request: Request,
    db: Database,
    person: Operator,
    search: Annotated[str, Query(max_length=100)] = "",
    before: UUID | None = None,
) -> HTMLResponse:
    found = await listing.page(db, search=search, before=before)

    def link(**place: object) -> str:
        wanted = ({"search": search} if search else {}) | place
        return f"{PAGE}?{urlencode(wanted)}" if wanted else PAGE

    return render(
        request,
        "organizations/all.html",
        person=person,
        organizations=found.rows,
        search=search,
        second_factor=SECOND_FACTOR,
        newest=link() if before else None,
        older=link(before=found.before) if found.before else None,
    )
