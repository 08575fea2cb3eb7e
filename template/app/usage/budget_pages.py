"""Where administrators set the budgets of the organisation and of one person."""

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import allow
from app.access.person import Person
from app.core.db import Database
from app.core.errors import NotFound, Problem
from app.usage import service
from app.usage.models import UsageLimit
from app.usage.schemas import LARGEST, CostCenter
from app.usage.settings import microdollars
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

PAGE = "/admin/usage/budgets"
MILLION = 1_000_000
# More are reached through the API.
PEOPLE_AT_MOST = 500

router = APIRouter(include_in_schema=False)

Limiter = Annotated[Person, allow("usage.limit")]
ProvenLimiter = Annotated[Person, allow("usage.limit", recent=True)]


EVERYONE = "organization"
Holder = Annotated[str, Query(alias="of", max_length=36)]


class Budgets(BaseModel):
    """Fields left empty stand for what the settings say."""

    user_id: UUID | None = None
    calls_per_hour: int | None = Field(None, ge=0, le=LARGEST)
    calls_per_day: int | None = Field(None, ge=0, le=LARGEST)
    tokens_per_hour: int | None = Field(None, ge=0, le=LARGEST)
    tokens_per_day: int | None = Field(None, ge=0, le=LARGEST)
    dollars_per_month: Decimal | None = Field(None, ge=0, le=LARGEST // MILLION, decimal_places=6)
    cost_center: CostCenter = ""
    seen: str | None = Field(None, max_length=40)


@router.get(PAGE)
async def show_budgets(
    request: Request, db: Database, person: Limiter, holder: Holder = EVERYONE
) -> HTMLResponse:
    return await _page(request, db, person, _uuid(holder))


@router.post(PAGE)
async def set_budgets(request: Request, db: Database, person: ProvenLimiter) -> Response:
    form = await read(request, Budgets)
    if form.data is None:
        return await _page(request, db, person, _uuid(str(form.values.get("user_id", ""))), form)
    wanted = form.data
    try:
        await service.set_limit(
            db,
            person,
            user_id=wanted.user_id,
            calls_per_hour=wanted.calls_per_hour,
            calls_per_day=wanted.calls_per_day,
            tokens_per_hour=wanted.tokens_per_hour,
            tokens_per_day=wanted.tokens_per_day,
            microdollars_per_month=microdollars(wanted.dollars_per_month),
            cost_center=wanted.cost_center,
            seen=wanted.seen,
        )
    except service.BudgetsChangedMeanwhile as problem:
        return await _page(request, db, person, wanted.user_id, problem=problem)
    back = f"{PAGE}?of={wanted.user_id}" if wanted.user_id else PAGE
    return flash.redirect(back, "The budgets hold from the next call on.")


async def _page(
    request: Request,
    db: AsyncSession,
    person: Person,
    user_id: UUID | None,
    form: Form[Any] | None = None,
    problem: Problem | None = None,
) -> HTMLResponse:
    people = await service.people(db, most=PEOPLE_AT_MOST)
    names = {str(one): name for one, name in people}
    if user_id and str(user_id) not in names:
        raise NotFound("No such person.")
    row = await service.own_limits(db, person.organization_id, user_id)
    if form is None:
        form = blank(**_set_so_far(row))
    return render_form(
        request,
        "usage/budgets.html",
        form,
        problem,
        seen=form.values.get("seen") or service.seen_of(row),
        person=person,
        holder=blank(of=user_id or EVERYONE),
        holders=[(EVERYONE, "The whole organisation"), *names.items()],
        user_id=user_id or "",
        whose=names.get(str(user_id)),
        defaults=_defaults("person" if user_id else "organization"),
    )


def _set_so_far(row: UsageLimit | None) -> dict[str, int | str]:
    if row is None:
        return {}
    filled = {name: getattr(row, name) for name in (*service.LIMITS, "cost_center")}
    month = filled.pop("microdollars_per_month")
    filled["dollars_per_month"] = None if month is None else f"{Decimal(month) / MILLION:f}"
    return {name: value for name, value in filled.items() if value is not None}


def _defaults(holder: str) -> dict[str, str]:
    """What an empty field stands for, as a sentence."""
    found = service.settings_limits()
    return {
        period: f"Empty: {f'{most / scale:,.2f}' if scale > 1 else f'{most:,}'} {unit}."
        if (most := found[f"{holder}_{period}"]) is not None
        else "Empty: no limit."
        for period, unit, scale in (
            ("calls_hour", "calls", 1),
            ("calls_day", "calls", 1),
            ("hour", "tokens", 1),
            ("day", "tokens", 1),
            ("month", "dollars", MILLION),
        )
    }


def _uuid(given: str) -> UUID | None:
    try:
        return UUID(given) if given not in {"", EVERYONE} else None
    except ValueError:
        raise NotFound("No such person.") from None
