"""Flags for those who run the app: which are on for whom, and setting them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.access.roles import Role
from app.core.db import Database
from app.core.errors import Problem
from app.flags import service
from app.flags.schemas import Reason
from app.flags.settings import FlagsSettings
from app.flags.switches import ALL, PREFIX
from app.users.operators import is_operator, operators
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read
from app.web.navigation import Link

PAGE = "/admin/flags"
NAVIGATION = [Link("Flags", PAGE, "flags.read", "Model", "flag", 77, shown=is_operator)]

router = APIRouter(prefix=PAGE, include_in_schema=False)

Reader = Annotated[Person, operators("flags.read")]
Setter = Annotated[Person, operators("flags.set", recent=True)]
Name = Annotated[str, Path(max_length=80)]


class Setting(BaseModel):
    enabled: bool = False
    share: int = Field(100, ge=0, le=100)
    organizations: list[UUID] = Field([], max_length=500)
    off_for: list[UUID] = Field([], max_length=500)
    role: str = Field("", max_length=2000)
    """Or several, with commas between them, as the flag had them."""
    reason: Reason
    seen: str | None = Field(None, max_length=40)


@router.get("")
async def show_flags(request: Request, db: Database, person: Reader) -> HTMLResponse:
    found = await service.flags(db)
    return render(
        request,
        "flags/list.html",
        person=person,
        all=next(one for one in found if one.name == ALL),
        switches=[one for one in found if one.name.startswith(PREFIX)],
        releases=[one for one in found if not one.name.startswith(PREFIX)],
        elsewhere=FlagsSettings.load().provider,
    )


@router.get("/{name}")
async def show_flag(request: Request, name: Name, db: Database, person: Reader) -> HTMLResponse:
    return await _page(request, db, person, name)


@router.post("/{name}")
async def set_flag(request: Request, name: Name, db: Database, person: Setter) -> Response:
    form = await read(request, Setting)
    if form.data is None:
        return await _page(request, db, person, name, form)
    wanted = form.data
    try:
        await service.set_flag(
            db,
            name,
            enabled=wanted.enabled,
            share=wanted.share,
            organizations=wanted.organizations,
            off_for=wanted.off_for,
            roles=[one for one in wanted.role.split(",") if one],
            reason=wanted.reason,
            person=person,
            seen=wanted.seen,
        )
    except service.FlagChangedMeanwhile as problem:
        return await _page(request, db, person, name, problem=problem)
    return flash.redirect(PAGE, f"{name} is {'on' if wanted.enabled else 'off'}.")


async def _page(
    request: Request,
    db: AsyncSession,
    person: Person,
    name: str,
    form: Form[Any] | None = None,
    problem: Problem | None = None,
) -> HTMLResponse:
    found = await service.flag(db, name)
    if form is None:
        form = blank(
            share=found.share,
            organizations="\n".join(sorted(map(str, found.organizations))),
            off_for="\n".join(sorted(map(str, found.off_for))),
            role=",".join(found.roles),
        )
    roles = [("", "All roles"), *((str(one), one.capitalize()) for one in Role)]
    if found.roles and (now := ",".join(found.roles)) not in {value for value, _ in roles}:
        roles.append((now, ", ".join(one.capitalize() for one in found.roles)))
    return render_form(
        request,
        "flags/flag.html",
        form,
        problem,
        person=person,
        flag=found,
        roles=roles,
        prefix=PREFIX,
    )
