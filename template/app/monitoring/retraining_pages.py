"""Decisions on retraining, to look at and to answer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.access.person import Person
from app.core.db import Database
from app.core.errors import Problem
from app.llm.settings import LLMSettings
from app.monitoring import deciding
from app.monitoring.settings import TuningSettings
from app.usage.prices import price_of
from app.users.operators import operators
from app.web import flash, render
from app.web.forms import blank

PAGE = "/monitoring/retraining"
STATES = {
    "nothing": ("Nothing to do", "neutral"),
    "waiting": ("Waits for examples", "neutral"),
    "decided": ("Waits for you", "warning"),
    "running": ("Under way", "accent"),
    "evaluating": ("Evaluated now", "accent"),
    "proposed": ("Proposed for release", "success"),
    "done": ("Done", "success"),
    "failed": ("Ended without use", "danger"),
    "dropped": ("Dropped", "neutral"),
}

router = APIRouter(prefix=PAGE, include_in_schema=False)
Reader = Annotated[Person, operators("monitoring.retrain")]
Decider = Annotated[Person, operators("monitoring.retrain", recent=True)]


@router.get("")
async def show_decisions(request: Request, db: Database, person: Reader) -> HTMLResponse:
    settings = TuningSettings.load()
    trained = f"ft:{settings.model}"
    return render(
        request,
        "monitoring/retraining.html",
        person=person,
        decisions=await deciding.decisions(db),
        states=STATES,
        is_on=settings.is_on,
        unpriced="" if price_of(LLMSettings.load().chosen, trained).known else trained,
        form=blank(),
        path=PAGE,
    )


@router.post("/{decision_id}/start")
async def start(decision_id: UUID, db: Database, person: Decider) -> Response:
    try:
        await deciding.start(db, person, decision_id)
    except Problem as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return flash.redirect(PAGE, "A worker sends the corrections and lets the provider train.")


@router.post("/{decision_id}/drop")
async def drop(decision_id: UUID, db: Database, person: Decider) -> Response:
    try:
        await deciding.drop(db, person, decision_id)
    except Problem as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return flash.redirect(PAGE, "Dropped. The rule is asked again after its days.")
