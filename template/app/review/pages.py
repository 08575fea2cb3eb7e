"""The queue, one answer at a time, and how both stand."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import Database
from app.review import case_pages, figures, people, service
from app.review.case_pages import PAGE, TABS
from app.review.dependencies import Reviewer
from app.review.schemas import Show, Verdict, Wanted
from app.review.service import Looked
from app.web import flash, render
from app.web.forms import Form, blank, read
from app.web.navigation import Link

NAVIGATION = [Link("Review", PAGE, "review.work", icon="eye", order=28)]
REASONS = {
    "guard": ("Sent by a guard", "warning"),
    "degraded": ("No model could answer", "warning"),
    "asked": ("A person was asked for", "accent"),
    "low_confidence": ("Low confidence", "neutral"),
    "sampled": ("Random sample", "neutral"),
}
SIGNALS = {
    "refused": "says that it does not know",
    "hedged": "hedges",
    "uncited": "cites none of the passages it was given",
    "cut": "was cut by its limit",
    "token probability": "the model's own probability of its words",
}
VERDICTS = {
    "approved": ("Approved", "success"),
    "corrected": ("Corrected", "accent"),
    "rejected": ("Rejected", "danger"),
}
CHOICES = [
    ("approved", "Approve", "It may stand as it is."),
    ("corrected", "Correct", "What you write takes its place."),
    ("rejected", "Reject", "It is marked as wrong, and stays withheld if it was."),
]
LOOKS = {1: "First look", 2: "Second opinion", 3: "Third look: two people differ"}

router = APIRouter(prefix=PAGE, include_in_schema=False, routes=case_pages.router.routes)


@router.get("")
async def show_queue(
    request: Request,
    db: Database,
    person: Reviewer,
    show: Show = "open",
    reason: Annotated[str, Query(max_length=20)] = "",
    before: UUID | None = None,
) -> HTMLResponse:
    chosen = reason if reason in REASONS else ""
    found, following = await service.found(db, person, show=show, reason=chosen, before=before)
    kept = {"show": show} | ({"reason": chosen} if chosen else {})
    return render(
        request,
        "review/queue.html",
        **await _words(db, found),
        person=person,
        found=found,
        show=show,
        tabs=TABS,
        current=PAGE if show == "open" else f"{PAGE}?show={show}",
        choosing=blank(reason=chosen),
        choices=[("", "All")] + [(name, words) for name, (words, _) in REASONS.items()],
        newest=f"{PAGE}?{urlencode(kept)}" if before else None,
        older=f"{PAGE}?{urlencode(kept | {'before': following})}" if following else None,
        waiting=await figures.waiting(db),
    )


@router.get("/figures")
async def show_figures(request: Request, db: Database, person: Reviewer) -> HTMLResponse:
    return render(
        request,
        "review/figures.html",
        person=person,
        figures=await figures.figures(db),
        fewest=figures.FEWEST,
        tabs=TABS,
    )


@router.post("/next")
async def take_next(request: Request, db: Database, person: Reviewer) -> Response:
    form = await read(request, Wanted)
    reason = form.data.reason if form.data else None
    try:
        taken = await service.claim(db, person, reason=reason or "")
    except service.NothingToReview as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return flash.redirect(f"{PAGE}/{taken.look.id}")


@router.get("/{look_id}")
async def show_one(request: Request, look_id: UUID, db: Database, person: Reviewer) -> HTMLResponse:
    return await _one(request, db, person, await service.shown(db, person, look_id))


async def _one(
    request: Request,
    db: AsyncSession,
    person: Reviewer,
    found: Looked,
    form: Form[Verdict] | None = None,
) -> HTMLResponse:
    return render(
        request,
        "review/item.html",
        **await _words(db, [found]),
        person=person,
        one=found,
        may_take=await service.may_claim(db, person, found.look.id),
        decides=found.words and found.look.state == "claimed",
        guards=guards_said(found.item.guards),
        form=form or blank(),
        choices=CHOICES if found.item.answer else CHOICES[1:],
        status=422 if form else 200,
    )


def guards_said(noted: dict[str, dict[str, object]]) -> list[str]:
    """What the guards noted of a call, as people read it."""
    said = []
    for step, note in noted.items():
        where = step.replace("_", " ").capitalize()
        for name, value in note.items():
            if isinstance(value, dict):
                value = ", ".join(f"{key} {one}" for key, one in value.items())
            elif isinstance(value, list):
                value = ", ".join(map(str, value))
            said.append(f"{where}: {name} {value}")
    return said


async def _words(db: AsyncSession, found: Sequence[Looked]) -> dict[str, Any]:
    return {
        "names": await people.names(db, [one.look.claimed_by for one in found]),
        "reasons": REASONS,
        "signals_of": lambda item: [SIGNALS.get(one, one) for one in item.signals],
        "verdicts": VERDICTS,
        "looks": LOOKS,
    }


@router.post("/{look_id}/claim")
async def take(look_id: UUID, db: Database, person: Reviewer) -> Response:
    page = f"{PAGE}/{look_id}"
    try:
        await service.claim(db, person, look_id=look_id)
    except service.TakenByOthers as problem:
        return flash.redirect(page, problem.detail, "warning")
    return flash.redirect(page)


@router.post("/{look_id}/release")
async def release(look_id: UUID, db: Database, person: Reviewer) -> Response:
    try:
        await service.release(db, person, look_id)
    except service.NotYours as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return flash.redirect(PAGE, "It is back in the queue.")


@router.post("/{look_id}/resolve")
async def resolve(request: Request, look_id: UUID, db: Database, person: Reviewer) -> Response:
    form = await read(request, Verdict)
    if form.data is not None:
        try:
            await service.resolve(db, person, look_id, **form.data.model_dump())
        except service.CorrectionMissing as problem:
            form.refuse(problem.detail, "correction")
        except service.NotYours as problem:
            return flash.redirect(PAGE, problem.detail, "warning")
        except service.NothingToApprove as problem:
            form.refuse(problem.detail, "verdict")
    if form.data is None:
        found = await service.shown(db, person, look_id)
        return await _one(request, db, person, found, form)
    corrected = form.data.verdict == "corrected"
    page = f"{PAGE}/{look_id}" if corrected else PAGE
    return flash.redirect(page, "It is done. Whoever asked finds it in the conversation.")
