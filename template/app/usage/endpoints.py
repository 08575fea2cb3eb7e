from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime

from app.access.access import allow
from app.access.person import Person
from app.core.clock import now
from app.core.db import Database
from app.core.errors import Invalid, NotFound
from app.core.problems import may
from app.usage import budgets, ceiling_endpoints, chargeback, reports
from app.usage.budgets import AboveCeiling
from app.usage.chargeback import MonthStillOpen
from app.usage.prices import prices_between
from app.usage.schemas import (
    AllowanceOut,
    Amounts,
    AnomalyOut,
    BudgetsOut,
    CostCenterOut,
    FeatureOut,
    LatencyOut,
    Limits,
    OrganizationUsage,
    OwnUsage,
    PersonOut,
    PriceOut,
    PromptOut,
)

MOST_PEOPLE = 1000
router = APIRouter(prefix="/api/usage", tags=["usage"])
router.routes.extend(ceiling_endpoints.router.routes)

CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


def _span(
    since: Annotated[AwareDatetime | None, Query(description="Default: this month.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Default: now.")] = None,
) -> tuple[datetime, datetime]:
    start, end = since or reports.month_start(), until or now()
    if start > end:
        raise Invalid("The beginning must come before the end.")
    return start, end


Span = Annotated[tuple[datetime, datetime], Depends(_span)]


@router.get("")
async def own_usage(
    db: Database, person: Annotated[Person, allow("usage.read_own")], span: Span
) -> OwnUsage:
    """What you used, and what is left of each budget that binds you."""
    features = await reports.by_feature(db, *span, user_id=person.user_id)
    left = await reports.allowances(db, person)
    return OwnUsage(
        since=span[0],
        until=span[1],
        allowances=[AllowanceOut.model_validate(one) for one in left],
        features=[FeatureOut.model_validate(one) for one in features],
    )


@router.get("/organization", dependencies=[allow("usage.read")])
async def organization_usage(db: Database, span: Span) -> OrganizationUsage:
    """What people in the organisation used, by person and feature, the 1,000 dearest first.

    A month that is over is there as a whole by `/api/usage/chargeback`.
    """
    people = await reports.by_person(db, *span, most=MOST_PEOPLE)
    return OrganizationUsage(
        since=span[0],
        until=span[1],
        people=[PersonOut.model_validate(one) for one in people],
        features=[FeatureOut.model_validate(one) for one in await reports.by_feature(db, *span)],
        cost_centers=[
            CostCenterOut.model_validate(one) for one in await reports.by_cost_center(db, *span)
        ],
    )


@router.get("/latency", dependencies=[allow("usage.read")])
async def latency(db: Database, span: Span) -> list[LatencyOut]:
    """Percentiles of how long answers took, by model, the most asked first."""
    return [LatencyOut.model_validate(one) for one in await reports.latency_by_model(db, *span)]


@router.get("/prompts", dependencies=[allow("usage.read")])
async def prompts_usage(db: Database, span: Span) -> list[PromptOut]:
    """What each version of a registered prompt used, the dearest first."""
    return [PromptOut.model_validate(one) for one in await reports.by_prompt(db, *span)]


@router.get("/prices", dependencies=[allow("usage.read")])
async def prices(
    db: Database,
    since: Annotated[AwareDatetime | None, Query(description="Default: this month.")] = None,
    until: Annotated[
        AwareDatetime | None, Query(description="Default: without an end, with what is to come.")
    ] = None,
) -> list[PriceOut]:
    """What each model that was used in this time cost then, a line for each of its prices."""
    start, end = _span(since, until)
    return [
        PriceOut(provider=provider, model=model, **asdict(price))
        for provider, model in await reports.models(db, start, end)
        for price in prices_between(provider, model, start, until)
    ]


@router.get("/anomalies", dependencies=[allow("usage.read")])
async def anomalies(db: Database, span: Span) -> list[AnomalyOut]:
    """Hours that cost far more than such hours do, of all or of one, the 200 newest first."""
    names = AnomalyOut.model_fields.keys() - {"display_name"}
    return [
        AnomalyOut(
            display_name=one.display_name, **{name: getattr(one.row, name) for name in names}
        )
        for one in await reports.anomalies(db, *span)
    ]


@router.get("/chargeback", response_class=Response, responses=CSV | may(MonthStillOpen))
async def chargeback_file(
    db: Database,
    person: Annotated[Person, allow("usage.read")],
    month: Annotated[str, Query(pattern=r"^20\d\d-(0[1-9]|1[0-2])$")],
) -> Response:
    """A month that is over as CSV: calls by cost centre, feature, model, person and prompt."""
    since = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    made = await chargeback.export(db, person, since)
    return Response(
        made.text,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="chargeback-{made.month}.csv"'},
    )


@router.get("/limits", responses=may(NotFound))
async def read_limits(
    db: Database,
    person: Annotated[Person, allow("usage.limit")],
    user_id: Annotated[
        UUID | None, Query(description="Whose budgets; default: the whole organisation's.")
    ] = None,
) -> BudgetsOut:
    """What administrators set, and what binds of it."""
    await budgets.must_be_here(db, user_id)
    row = await budgets.own_limits(db, person.organization_id, user_id)
    binding = await budgets.limits(db, person.organization_id, user_id)
    holder = "person" if user_id else "organization"
    return BudgetsOut(
        own=Amounts(**budgets.amounts_of(row)),
        cost_center=row.cost_center if row else None,
        ceilings=Amounts(**await budgets.ceilings(db, person.organization_id)),
        limits=Amounts(
            **{name: binding[f"{holder}_{short}"] for name, short in budgets.LIMITS.items()}
        ),
    )


@router.put("/limits", status_code=204, responses=may(NotFound, AboveCeiling))
async def set_limits(
    db: Database, person: Annotated[Person, allow("usage.limit", recent=True)], wanted: Limits
) -> None:
    """Set the budgets of a person or of the organisation; from the next call on they hold.

    Those of the organisation may be at most its ceilings, which those who run the app set.
    """
    await budgets.set_limit(db, person, **wanted.model_dump())
