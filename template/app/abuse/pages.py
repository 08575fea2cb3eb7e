"""What was seen, what is in force, and deciding about it by hand."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.abuse import service
from app.abuse.dependencies import Manager, Reader
from app.abuse.schemas import MONTH, Lift, MeasureKind, Reason
from app.abuse.subjects import Subject
from app.abuse.words import KINDS, MEASURES
from app.access.person import Person
from app.core.db import Database
from app.core.errors import NotFound, Problem
from app.web import flash, render
from app.web.form_pages import render_form
from app.web.forms import Form, blank, read
from app.web.navigation import Link

PAGE = "/admin/abuse"
NAVIGATION = [Link("Abuse", PAGE, "abuse.read", "Administration", "shield", 75)]
SCOPES = {
    "sign-in": "signing in",
    "sign-up": "signing up",
    "requests": "everything",
    "model": "the model",
    "all": "everything",
}
SUBJECTS = {
    "address": "An address in",
    "network": "The network",
    "everyone": "Everyone",
    "person": "Person",
    "key": "API key",
    "organization": "The organisation",
}


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


WORDS: dict[str, Any] = {
    "kinds": {name: _capital(words) for name, words in KINDS.items()},
    "measure_words": {name: _capital(words) for name, words in MEASURES.items()},
    "scopes": SCOPES,
    "subjects": SUBJECTS,
}
DURATIONS = [(15, "15 minutes"), (60, "An hour"), (1440, "A day"), (10_080, "A week")]

router = APIRouter(prefix=PAGE, include_in_schema=False)

Show = Annotated[Literal["in-force", "ended", "seen"], Query()]


class Decision(BaseModel):
    subject: str = Field(min_length=1, max_length=254)
    measure: MeasureKind
    minutes: int = Field(60, ge=1, le=MONTH)
    reason: Reason


@router.get("")
async def show_abuse(
    request: Request,
    db: Database,
    person: Reader,
    show: Show = "in-force",
    of: Annotated[str, Query(max_length=20, pattern=r"^[a-z-]*$")] = "",
    before: UUID | None = None,
) -> HTMLResponse:
    found: service.Page[Any]
    words: dict[str, str] = WORDS["kinds"] if show == "seen" else SUBJECTS
    of = of if of in words else ""  # chosen while another list was shown
    if show == "seen":
        found = await service.sightings(db, kind=of, before=before)
    else:
        found = await service.measures(db, state=show, of=of, before=before)
    kept = {"show": show} | ({"of": of} if of else {})
    return render(
        request,
        "abuse/abuse.html",
        person=person,
        show=show,
        rows=found.rows,
        names=await service.names(db, found.rows),
        locked=await service.locked_out(db) if show == "in-force" else [],
        form=blank(of=of),
        choices=[("", "All"), *words.items()],
        newest=f"{PAGE}?{urlencode(kept)}" if before else None,
        older=f"{PAGE}?{urlencode(kept | {'before': found.before})}" if found.before else None,
        **WORDS,
    )


@router.get("/decide")
async def show_decision(
    request: Request,
    db: Database,
    person: Manager,
    of: Annotated[str, Query(max_length=254)] = "",
) -> HTMLResponse:
    return await _decide(request, db, person, blank(subject=of))


@router.post("/decide")
async def decide(request: Request, db: Database, person: Manager) -> Response:
    form = await read(request, Decision)
    if form.data is None:
        return await _decide(request, db, person, form)
    wanted = form.data
    try:
        async with db.begin_nested():
            subject = await _meant(db, person, wanted.subject)
            await service.set_measure(
                db, person, subject, wanted.measure, minutes=wanted.minutes, reason=wanted.reason
            )
    except Problem as problem:
        return await _decide(request, db, person, form, problem)
    return flash.redirect(PAGE, "It holds from now on.")


async def _meant(db: AsyncSession, person: Person, text: str) -> Subject:
    """Whom the one field names: a member by mail address or id, a key by its id, or an address."""
    if "@" in text:
        return await service.subject_of(db, person, "person", text)
    try:
        UUID(text)
    except ValueError:
        return await service.subject_of(db, person, "address", text)
    try:
        return await service.subject_of(db, person, "key", text)
    except NotFound:
        return await service.subject_of(db, person, "person", text)


async def _decide(
    request: Request,
    db: AsyncSession,
    person: Person,
    form: Form[Any],
    problem: Problem | None = None,
) -> HTMLResponse:
    return render_form(
        request,
        "abuse/decide.html",
        form,
        problem,
        person=person,
        runs_the_app=await service.runs_the_app(db, person),
        durations=DURATIONS,
    )


@router.get("/measures/{measure_id}")
async def show_measure(
    request: Request, db: Database, person: Reader, measure_id: UUID
) -> HTMLResponse:
    return await _measure(request, db, person, measure_id, blank())


@router.post("/measures/{measure_id}/lift")
async def lift(request: Request, db: Database, person: Manager, measure_id: UUID) -> Response:
    form = await read(request, Lift)
    if form.data is None:
        return await _measure(request, db, person, measure_id, form)
    try:
        async with db.begin_nested():
            await service.lift(db, person, measure_id, form.data.reason)
    except Problem as problem:
        return await _measure(request, db, person, measure_id, form, problem)
    return flash.redirect(PAGE, "It is lifted. What was counted begins anew.")


async def _measure(
    request: Request,
    db: AsyncSession,
    person: Person,
    measure_id: UUID,
    form: Form[Any],
    problem: Problem | None = None,
) -> HTMLResponse:
    found = await service.measure(db, measure_id)
    return render_form(
        request,
        "abuse/measure.html",
        form,
        problem,
        person=person,
        one=found,
        live=service.is_live(found),
        names=await service.names(db, [found]),
        **WORDS,
    )


@router.get("/lockouts/{user_id}")
async def show_lockout(
    request: Request, db: Database, person: Reader, user_id: UUID
) -> HTMLResponse:
    return await _lockout(request, db, person, user_id, blank())


@router.post("/lockouts/{user_id}/lift")
async def lift_lockout(request: Request, db: Database, person: Manager, user_id: UUID) -> Response:
    form = await read(request, Lift)
    if form.data is None:
        return await _lockout(request, db, person, user_id, form)
    try:
        await service.lift_lockout(db, person, user_id, form.data.reason)
    except service.NotLocked as problem:
        return flash.redirect(PAGE, problem.detail, "info")
    return flash.redirect(PAGE, "Nobody has to wait at this login any more.")


async def _lockout(
    request: Request, db: AsyncSession, person: Person, user_id: UUID, form: Form[Any]
) -> HTMLResponse:
    one = next((one for one in await service.locked_out(db) if one.user_id == user_id), None)
    if one is None:
        raise service.NotLocked
    return render_form(request, "abuse/lockout.html", form, person=person, one=one)
