"""What each organisation may use at most, for those who run the app."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.db import Database
from app.core.errors import Problem
from app.usage import budgets, ceilings
from app.usage.budget_pages import FIELDS, Amounts, empty_is, set_so_far
from app.usage.ceilings import Operator, ProvenOperator
from app.usage.reports import month_start
from app.users.operators import is_operator
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read
from app.web.navigation import Link

PAGE = "/admin/usage/ceilings"
LINK = Link("Ceilings", PAGE, "usage.ceiling", "Administration", "lock", 77, shown=is_operator)

router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("")
async def show_ceilings(
    request: Request,
    db: Database,
    person: Operator,
    search: Annotated[str, Query(max_length=100)] = "",
    before: UUID | None = None,
) -> HTMLResponse:
    found = await ceilings.page(db, search=search, before=before)

    def link(**place: object) -> str:
        wanted = ({"search": search} if search else {}) | place
        return f"{PAGE}?{urlencode(wanted)}" if wanted else PAGE

    return render(
        request,
        "usage/ceilings.html",
        person=person,
        organizations=found.rows,
        search=search,
        month=month_start(),
        said=budgets.said,
        dearest=link() if before else None,
        cheaper=link(before=found.before) if found.before else None,
    )


@router.get("/{organization_id}")
async def show_one(
    request: Request, db: Database, person: Operator, organization_id: UUID
) -> HTMLResponse:
    return await _page(request, db, person, organization_id)


@router.post("/{organization_id}")
async def set_one(
    request: Request, db: Database, person: ProvenOperator, organization_id: UUID
) -> Response:
    form = await read(request, Amounts)
    if form.data is None:
        return await _page(request, db, person, organization_id, form)
    wanted = form.data
    try:
        await ceilings.give(db, organization_id, wanted.given(), person=person, seen=wanted.seen)
    except budgets.BudgetsChangedMeanwhile as problem:
        return await _page(request, db, person, organization_id, problem=problem)
    return flash.redirect(PAGE, "The ceilings hold from the next call on.")


async def _page(
    request: Request,
    db: AsyncSession,
    person: Person,
    organization_id: UUID,
    form: Form[Any] | None = None,
    problem: Problem | None = None,
) -> HTMLResponse:
    found = await ceilings.one(db, organization_id)
    if form is None:
        form = blank(**set_so_far(found.given))
    rest = budgets.ceilings_of(None)
    return render_form(
        request,
        "usage/ceiling.html",
        form,
        problem,
        person=person,
        organization=found,
        seen=form.values.get("seen") or found.seen,
        month=month_start(),
        said=budgets.said,
        hints={
            FIELDS.get(name, name): empty_is(name, rest[name], ", as the settings say")
            + ("" if own is None else f" Its administrators set {budgets.said(name, own)}.")
            for name, own in found.own.items()
        },
    )
