"""Prompts for those who run the app: versions, what changed, releasing and rolling back."""

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.db import Database
from app.core.errors import Problem
from app.prompts import experiment_pages, service
from app.prompts.costs import cost_of
from app.prompts.schemas import LabelIn, VersionIn
from app.prompts.text import PromptInvalid, diff
from app.usage.prices import MILLION
from app.users.operators import is_operator, operators
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read
from app.web.navigation import Link

PAGE = "/admin/prompts"
NAVIGATION = [Link("Prompts", PAGE, "prompts.read", "Model", "spark", 76, shown=is_operator)]
LABEL_TONES = {"live": "success", "candidate": "accent", "draft": "neutral"}
GATES = {
    "": "",
    "passed": "Evaluation passed",
    "overridden": "Released against its evaluation",
    "returned": "Was live before",
    "file": "Came with the code",
}

router = APIRouter(prefix=PAGE, include_in_schema=False, routes=experiment_pages.router.routes)

Reader = Annotated[Person, operators("prompts.read")]
Writer = Annotated[Person, operators("prompts.write")]
Releaser = Annotated[Person, operators("prompts.release", recent=True)]
Name = Annotated[str, Path(max_length=80)]
Number = Annotated[int, Path(ge=1, le=1_000_000)]
Since = Annotated[int | None, Query(ge=1, le=1_000_000)]


@router.get("")
async def show_prompts(request: Request, db: Database, person: Reader) -> HTMLResponse:
    found = await service.prompts(db)
    rows = []
    for one in found:
        live = await service.version(db, one.prompt.id, one.labels["live"])
        rows.append((one, cost_of(live.text)))
    return render(request, "prompts/list.html", person=person, rows=rows, dollars=dollars)


@router.get("/{name}")
async def show_prompt(request: Request, name: Name, db: Database, person: Reader) -> HTMLResponse:
    found = await service.prompt(db, name)
    versions = await service.versions(db, found.prompt.id)
    moves = await service.moves(db, found.prompt.id)
    people = [one.author_id for one in versions] + [move.moved_by for move, _ in moves]
    labels: dict[int, list[str]] = {}
    for label, number in found.labels.items():
        labels.setdefault(number, []).append(label)
    costs = {one.number: cost_of(one.text) for one in versions[:50]}
    return render(
        request,
        "prompts/prompt.html",
        person=person,
        prompt=found.prompt,
        live=found.labels["live"],
        versions=versions[:50],
        costs=costs,
        bars=[(f"{number}", cost.tokens) for number, cost in sorted(costs.items())],
        moves=moves,
        labels=labels,
        names=await service.names(db, people),
        dollars=dollars,
        gates=GATES,
        tones=LABEL_TONES,
    )


@router.get("/{name}/new")
async def show_writing(
    request: Request, name: Name, db: Database, person: Writer, since: Since = None
) -> HTMLResponse:
    found = await service.prompt(db, name)
    begun = await service.version(db, found.prompt.id, since or found.newest)
    return await _writing(request, db, person, name, blank(text=begun.text))


@router.post("/{name}/versions")
async def write_version(request: Request, name: Name, db: Database, person: Writer) -> Response:
    form = await read(request, VersionIn)
    if form.data is None:
        return await _writing(request, db, person, name, form)
    try:
        made = await service.add_version(db, person, name, form.data.text, form.data.rationale)
    except (service.NothingChanged, PromptInvalid) as problem:
        return await _writing(request, db, person, name, form, problem)
    return flash.redirect(
        f"{PAGE}/{name}/versions/{made.number}",
        f"Version {made.number} is written. Nobody is answered with it yet.",
    )


async def _writing(
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
        "prompts/write.html",
        form,
        problem,
        person=person,
        prompt=found.prompt,
        variables=", ".join(f"{{{{{name}}}}}" for name in found.prompt.variables),
    )


@router.get("/{name}/versions/{number}")
async def show_version(
    request: Request, name: Name, number: Number, db: Database, person: Reader, since: Since = None
) -> HTMLResponse:
    return await _version(request, db, person, name, number, blank(), since=since)


@router.post("/{name}/versions/{number}/label")
async def move_label(
    request: Request, name: Name, number: Number, db: Database, person: Releaser
) -> Response:
    form = await read(request, LabelIn)
    if form.data is None:
        return await _version(request, db, person, name, number, form)
    wanted = form.data
    try:
        await service.move_label(db, person, name, number, wanted.label, wanted.reason)
    except service.GateNotPassed as problem:
        return await _version(request, db, person, name, number, form, problem)
    told = f"Version {number} is {wanted.label}."
    if wanted.label == "live":
        told = f"Version {number} is live: within a second all answers are made with it."
    return flash.redirect(f"{PAGE}/{name}/versions/{number}", told)


async def _version(
    request: Request,
    db: AsyncSession,
    person: Person,
    name: str,
    number: int,
    form: Form[Any],
    problem: Problem | None = None,
    since: int | None = None,
) -> HTMLResponse:
    found = await service.prompt(db, name)
    one = await service.version(db, found.prompt.id, number)
    numbers = [version.number for version in await service.versions(db, found.prompt.id)]
    live = found.labels["live"]
    since = since or (live if live != number else number - 1)
    before = await service.version(db, found.prompt.id, since) if since else None
    return render_form(
        request,
        "prompts/version.html",
        form,
        problem,
        person=person,
        prompt=found.prompt,
        version=one,
        live=live,
        labels=[label for label, at in found.labels.items() if at == number],
        tones=LABEL_TONES,
        cost=cost_of(one.text),
        dollars=dollars,
        author=(await service.names(db, [one.author_id])).get(one.author_id or UUID(int=0)),
        lacking=await service.lacking(db, found.prompt, one),
        before=before,
        comparing=blank(since=since),
        others=[(n, f"Version {n}") for n in numbers if n != number],
        changes=diff(before.text, one.text) if before else [],
    )


def dollars(microdollars: int) -> Decimal:
    return Decimal(microdollars) / MILLION
