"""Evaluations for those who run the app: runs, what came of each case, and comparisons."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from app.access.person import Person
from app.core.db import Database
from app.evals import cheaper_pages, service
from app.evals.models import EvalRun
from app.prompts import service as prompts
from app.prompts.statistics import Interval, wilson
from app.usage.prices import MILLION
from app.users.operators import is_operator, operators
from app.web import flash, render
from app.web.forms import blank, read
from app.web.navigation import Link

PAGE = "/admin/evaluations"
NAVIGATION = [
    Link("Evaluations", PAGE, "evals.read", "Use and quality", "check", 76, shown=is_operator)
]
STATES = {
    "waiting": ("Waiting", "neutral"),
    "running": ("Running", "accent"),
    "failed": ("Broke off", "danger"),
    "passed": ("Passed", "success"),
    "not passed": ("Not passed", "danger"),
    "skipped": ("Skipped", "neutral"),
    "error": ("Not asked", "warning"),
}


class Wanted(BaseModel):
    what: str = Field(max_length=90, pattern=r"^[a-z_.0-9]+ [1-9][0-9]{0,5}$")
    """Name and version."""


router = APIRouter(prefix=PAGE, include_in_schema=False, routes=cheaper_pages.router.routes)

Reader = Annotated[Person, operators("evals.read")]
Runner = Annotated[Person, operators("evals.run")]


@router.get("")
async def show_runs(request: Request, db: Database, person: Reader) -> HTMLResponse:
    runs = await service.runs(db)
    known = await prompts.prompts(db)
    done = [one for one in reversed(runs) if one.state == "finished"][-20:]
    return render(
        request,
        "evals/runs.html",
        person=person,
        runs=runs,
        state=_state,
        share=_share,
        labels=[f"v{one.prompt_version}" for one in done],
        shares=[("Passed", [round(100 * _share(one).value, 1) for one in done])],
        form=blank(),
        versions=[
            (f"{one.prompt.name} {number}", f"{one.prompt.name}, version {number}")
            for one in known
            for number in range(one.newest, max(one.newest - 5, 0), -1)
        ],
        dollars=lambda amount: Decimal(amount) / MILLION,
    )


@router.post("")
async def start_run(request: Request, db: Database, person: Runner) -> Response:
    form = await read(request, Wanted)
    if form.data is None:
        return flash.redirect(PAGE, "Choose a version.", "warning")
    name, _, number = form.data.what.rpartition(" ")
    made = await service.ask_for(db, person, name, int(number))
    return flash.redirect(f"{PAGE}/{made.id}", "A worker runs it; this page changes by itself.")


@router.get("/{run_id}")
async def show_run(
    request: Request, run_id: UUID, db: Database, person: Reader, before: UUID | None = None
) -> HTMLResponse:
    run = await service.run(db, run_id)
    results = await service.results(db, run_id)
    others = [one for one in await service.runs(db, name=run.prompt) if one.id != run.id]
    compared = await service.compare(db, before, run_id) if before else None
    return render(
        request,
        "evals/run.html",
        person=person,
        run=run,
        state=_state(run),
        states=STATES,
        suites=[
            (name, one, wilson(one["passed"], one["passed"] + one["failed"]))
            for name, one in run.suites.items()
        ],
        bars=[
            (one["title"], round(100 * one["passed"] / counted, 1))
            for name, one in run.suites.items()
            if (counted := one["passed"] + one["failed"])
        ],
        shares=service.shares(results),
        shown=[one for one in await service.readable(db, person, run) if one.state != "passed"],
        others=[
            (one.id, f"Version {one.prompt_version} with {one.model}, {one.created_at:%d %b %H:%M}")
            for one in others
            if one.state == "finished"
        ],
        comparing=blank(before=before or ""),
        compared=compared,
        open_cases=await service.open_cases(db, run_id) if compared else set(),
        dollars=Decimal(run.microdollars) / MILLION,
    )


def _state(run: EvalRun) -> tuple[str, str]:
    if run.state != "finished":
        return STATES[run.state]
    return STATES["passed" if run.passed else "not passed"]


def _share(run: EvalRun) -> Interval:
    passed = sum(one["passed"] for one in run.suites.values())
    return wilson(passed, passed + sum(one["failed"] for one in run.suites.values()))
