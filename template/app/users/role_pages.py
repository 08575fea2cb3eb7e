"""The roles of an organisation, for administrators."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.access.roles import always, meanings
from app.core.db import Database
from app.core.errors import Conflict, Problem
from app.users import roles
from app.users.dependencies import Reader, RoleManager
from app.users.schemas import RoleIn
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

PAGE = "/admin/users/roles"

router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("")
async def show_roles(request: Request, db: Database, person: Reader) -> HTMLResponse:
    found = await roles.everything(db)
    return render(request, "users/roles.html", person=person, found=found, always=always())


@router.get("/new")
async def show_blank_role(request: Request, person: RoleManager) -> HTMLResponse:
    return _form(request, person, blank())


@router.post("/new")
async def create_role(request: Request, db: Database, person: RoleManager) -> Response:
    form = await read(request, RoleIn)
    if form.data is None:
        return _form(request, person, form)
    wanted = form.data
    try:
        async with db.begin_nested():
            await roles.create(db, person, wanted.name, wanted.description, wanted.permissions)
    except Problem as problem:
        return _form(request, person, form, problem)
    return flash.redirect(PAGE, f"The role {wanted.name} is there to be given.")


@router.get("/{role_id}")
async def show_role(
    request: Request, db: Database, person: RoleManager, role_id: UUID
) -> HTMLResponse:
    role = await roles.find(db, role_id)
    held = [*role.permissions, *role.unknown]
    form = blank(name=role.name, description=role.description, permissions=held)
    return _form(request, person, form, role=role)


@router.post("/{role_id}")
async def change_role(
    request: Request, db: Database, person: RoleManager, role_id: UUID
) -> Response:
    form = await read(request, RoleIn)
    if form.data is None:
        return await _again(request, db, person, role_id, form)
    wanted = form.data
    try:
        async with db.begin_nested():
            await roles.change(
                db, person, role_id, wanted.name, wanted.description, wanted.permissions
            )
    except (Conflict, roles.BeyondYourOwn, roles.UnknownPermission) as problem:
        return await _again(request, db, person, role_id, form, problem)
    return flash.redirect(PAGE, f"The role {wanted.name} is changed, for everyone who has it.")


@router.post("/{role_id}/delete")
async def delete_role(db: Database, person: RoleManager, role_id: UUID) -> Response:
    try:
        async with db.begin_nested():
            await roles.delete(db, person, role_id)
    except (Conflict, roles.BeyondYourOwn) as problem:
        return flash.redirect(f"{PAGE}/{role_id}", problem.detail, "danger")
    return flash.redirect(PAGE, "The role is deleted.")


async def _again(
    request: Request,
    db: AsyncSession,
    person: Person,
    role_id: UUID,
    form: Form[Any],
    problem: Problem | None = None,
) -> HTMLResponse:
    return _form(request, person, form, problem, role=await roles.find(db, role_id))


def _form(
    request: Request,
    person: Person,
    form: Form[Any],
    problem: Problem | None = None,
    *,
    role: roles.RoleInfo | None = None,
) -> HTMLResponse:
    absent = role.unknown if role else []
    note = "Of a module that is not installed; it counts for nothing."
    return render_form(
        request,
        "users/role.html",
        form,
        problem,
        person=person,
        role=role,
        offered=[(name, name, meanings().get(name, "")) for name in roles.offered(person)]
        + [(name, name, note) for name in absent],
    )
