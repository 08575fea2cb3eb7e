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
from app.usage import budgets
from app.usage.models import UsageCeiling, UsageLimit
from app.usage.schemas import CostCenter
from app.usage.settings import LARGEST, microdollars
from app.users.operators import is_operator
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

PAGE = "/admin/usage/budgets"
MILLION = 1_000_000
MONTH = "microdollars_per_month"
# The form asks for dollars.
FIELDS = {MONTH: "dollars_per_month"}
LABELS = {
    "calls_per_hour": "Calls per hour",
    "calls_per_day": "Calls per day",
    "tokens_per_hour": "Tokens per hour",
    "tokens_per_day": "Tokens per day",
    MONTH: "US dollars per month",
}
# More are reached through the API.
PEOPLE_AT_MOST = 500

router = APIRouter(include_in_schema=False)

Limiter = Annotated[Person, allow("usage.limit")]
ProvenLimiter = Annotated[Person, allow("usage.limit", recent=True)]


EVERYONE = "organization"
Holder = Annotated[str, Query(alias="of", max_length=36)]


class Amounts(BaseModel):
    """What both forms ask for."""

    calls_per_hour: int | None = Field(None, ge=0, le=LARGEST)
    calls_per_day: int | None = Field(None, ge=0, le=LARGEST)
    tokens_per_hour: int | None = Field(None, ge=0, le=LARGEST)
    tokens_per_day: int | None = Field(None, ge=0, le=LARGEST)
    dollars_per_month: Decimal | None = Field(None, ge=0, le=LARGEST // MILLION, decimal_places=6)
    seen: str | None = Field(None, max_length=40)

    def given(self) -> dict[str, int | None]:
        given = self.model_dump(include={*budgets.LIMITS})
        return given | {MONTH: microdollars(self.dollars_per_month)}


class Budgets(Amounts):
    """Fields left empty stand for what the settings say, of an organisation for its ceiling."""

    user_id: UUID | None = None
    cost_center: CostCenter = ""


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
        await budgets.set_limit(
            db,
            person,
            user_id=wanted.user_id,
            cost_center=wanted.cost_center,
            seen=wanted.seen,
            **wanted.given(),
        )
    except budgets.BudgetsChangedMeanwhile as problem:
        return await _page(request, db, person, wanted.user_id, problem=problem)
    except budgets.AboveCeiling as problem:
        refused(form, problem)
        return await _page(request, db, person, wanted.user_id, form)
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
    people = await budgets.people(db, most=PEOPLE_AT_MOST)
    names = {str(one): name for one, name in people}
    if user_id and str(user_id) not in names:
        raise NotFound("No such person.")
    row = await budgets.own_limits(db, person.organization_id, user_id)
    if form is None:
        form = blank(**set_so_far(row))
    most = {} if user_id else await budgets.ceilings(db, person.organization_id)
    return render_form(
        request,
        "usage/budgets.html",
        form,
        problem,
        seen=form.values.get("seen") or budgets.seen_of(row),
        person=person,
        holder=blank(of=user_id or EVERYONE),
        holders=[(EVERYONE, "The whole organisation"), *names.items()],
        user_id=user_id or "",
        whose=names.get(str(user_id)),
        hints=_of_a_person() if user_id else _below(most),
        cut=[
            f"{LABELS[name]}: {budgets.said(name, own)} set, {budgets.said(name, ceiling)} allowed."
            for name, ceiling in most.items()
            if ceiling is not None and (own := getattr(row, name, None) or 0) > ceiling
        ],
        runs_the_app=is_operator(person),
    )


def set_so_far(row: UsageLimit | UsageCeiling | budgets.Amounts | None) -> dict[str, int | str]:
    read = row.get if isinstance(row, dict) else lambda name: getattr(row, name, None)
    filled = {name: read(name) for name in (*budgets.LIMITS, "cost_center")}
    month = filled.pop(MONTH)
    filled["dollars_per_month"] = None if month is None else f"{Decimal(month) / MILLION:f}"
    return {name: value for name, value in filled.items() if value is not None}


def refused(form: Form[Any], problem: budgets.AboveCeiling) -> None:
    for name, sentence in problem.errors.items():
        form.refuse(sentence, FIELDS.get(name, name))


def empty_is(name: str, amount: int | None, because: str = "") -> str:
    """What an empty field stands for, as a sentence."""
    return f"Empty: {'no limit' if amount is None else budgets.said(name, amount) + because}."


def _of_a_person() -> dict[str, str]:
    found = budgets.settings_limits()
    return {
        FIELDS.get(name, name): empty_is(name, found[f"person_{short}"])
        for name, short in budgets.LIMITS.items()
    }


def _below(most: budgets.Amounts) -> dict[str, str]:
    return {
        FIELDS.get(name, name): empty_is(
            name, ceiling, ", the most that those who run this app allow"
        )
        for name, ceiling in most.items()
    }


def _uuid(given: str) -> UUID | None:
    try:
        return UUID(given) if given not in {"", EVERYONE} else None
    except ValueError:
        raise NotFound("No such person.") from None
