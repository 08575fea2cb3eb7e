"""Experiments with a prompt: starting, reading out, ending."""

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.db import Database
from app.core.errors import Problem
from app.prompts import experiments, service, shadows
from app.prompts.models import Prompt
from app.prompts.schemas import EndIn, Rationale, Reason, ShadowIn
from app.usage.prices import MILLION
from app.users.operators import operators
from app.web import flash
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read

PAGE = "/admin/prompts"

router = APIRouter(prefix=PAGE, include_in_schema=False)

Reader = Annotated[Person, operators("prompts.read")]
Releaser = Annotated[Person, operators("prompts.release", recent=True)]
Ender = Annotated[Person, operators("prompts.release")]
Name = Annotated[str, Path(max_length=80)]


class Wanted(BaseModel):
    version: int = Field(ge=1, le=1_000_000)
    percent: int = Field(ge=1, le=99)
    hypothesis: Rationale
    points: int = Field(10, ge=1, le=50)
    """The difference worth finding, in points of a hundred."""
    reason: Reason = ""


@router.get("/{name}/experiments")
async def show_experiments(
    request: Request, name: Name, db: Database, person: Reader
) -> HTMLResponse:
    return await _page(request, db, person, name, blank(percent=20, points=10))


@router.post("/{name}/experiments")
async def start_experiment(
    request: Request, name: Name, db: Database, person: Releaser
) -> Response:
    form = await read(request, Wanted)
    if form.data is None:
        return await _page(request, db, person, name, form)
    wanted = form.data
    try:
        made = await experiments.start(
            db,
            person,
            name,
            wanted.version,
            percent=wanted.percent,
            hypothesis=wanted.hypothesis,
            effect=wanted.points / 100,
            reason=wanted.reason,
        )
    except (
        service.GateNotPassed,
        experiments.AlreadyRunning,
        experiments.NothingToCompare,
    ) as problem:
        return await _page(request, db, person, name, form, problem)
    told = f"Within a second {wanted.percent} of 100 people are answered with it."
    return flash.redirect(f"{PAGE}/experiments/{made.id}", told)


async def _page(
    request: Request,
    db: AsyncSession,
    person: Person,
    name: str,
    form: Form[Any],
    problem: Problem | None = None,
) -> HTMLResponse:
    found = await service.prompt(db, name)
    live = found.labels["live"]
    versions = await service.versions(db, found.prompt.id)
    return render_form(
        request,
        "prompts/experiments.html",
        form,
        problem,
        person=person,
        prompt=found.prompt,
        found=await experiments.experiments(db, found.prompt.id),
        shadows=await shadows.numbers(db, found.prompt.id),
        dollars=lambda amount: Decimal(amount) / MILLION,
        versions=[(one.number, f"Version {one.number}") for one in versions if one.number != live],
    )


@router.get("/{name}/shadows")
async def show_shadow(request: Request, name: Name, db: Database, person: Reader) -> HTMLResponse:
    return await _shadow(request, db, person, name, blank(percent=5, dollars_per_day=1))


@router.post("/{name}/shadows")
async def start_shadow(request: Request, name: Name, db: Database, person: Releaser) -> Response:
    form = await read(request, ShadowIn)
    if form.data is None:
        return await _shadow(request, db, person, name, form)
    wanted = form.data
    try:
        await shadows.start(
            db,
            person,
            name,
            wanted.version,
            percent=wanted.percent,
            microdollars_per_day=round(wanted.dollars_per_day * MILLION),
        )
    except shadows.ShadowRunning as problem:
        return await _shadow(request, db, person, name, form, problem)
    told = "Within a second it is asked as well. Nobody sees what it says."
    return flash.redirect(f"{PAGE}/{name}/experiments", told)


async def _shadow(
    request: Request,
    db: AsyncSession,
    person: Person,
    name: str,
    form: Form[Any],
    problem: Problem | None = None,
) -> HTMLResponse:
    found = await service.prompt(db, name)
    return render_form(
        request,
        "prompts/shadow.html",
        form,
        problem,
        person=person,
        prompt=found.prompt,
        versions=[
            (number, f"Version {number}")
            for number in range(found.newest, 0, -1)
            if number != found.labels["live"]
        ],
    )


@router.post("/{name}/shadows/{shadow_id}/end")
async def end_shadow(name: Name, shadow_id: UUID, db: Database, person: Ender) -> Response:
    await shadows.end(db, person, shadow_id, "Ended on its page.")
    return flash.redirect(f"{PAGE}/{name}/experiments", "Within a second nothing more is asked.")


@router.get("/experiments/{experiment_id}")
async def show_experiment(
    request: Request, experiment_id: UUID, db: Database, person: Reader
) -> HTMLResponse:
    return await _read_out(request, db, person, experiment_id, blank())


@router.post("/experiments/{experiment_id}/end")
async def end_experiment(
    request: Request, experiment_id: UUID, db: Database, person: Ender
) -> Response:
    form = await read(request, EndIn)
    if form.data is None:
        return await _read_out(request, db, person, experiment_id, form)
    await experiments.end(db, person, experiment_id, form.data.reason)
    told = "It has ended. Within a second everyone is answered with the live version."
    return flash.redirect(f"{PAGE}/experiments/{experiment_id}", told)


async def _read_out(
    request: Request, db: AsyncSession, person: Person, experiment_id: UUID, form: Form[Any]
) -> HTMLResponse:
    told = await experiments.read_out(db, experiment_id)
    name = await db.scalar(select(Prompt.name).where(Prompt.id == told.experiment.prompt_id))
    arms = [("Live", told.control), ("Candidate", told.candidate)]
    return render_form(
        request,
        "prompts/experiment.html",
        form,
        person=person,
        prompt_name=name,
        told=told,
        one=told.experiment,
        arms=arms,
        bars=[
            (f"Version {arm.number}", round(100 * arm.share.value, 1))
            for _, arm in arms
            if arm.raters
        ],
        costs=[Decimal(arm.microdollars) / MILLION / max(arm.calls, 1) for _, arm in arms],
    )
