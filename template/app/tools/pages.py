"""What waits for approval, and what became of it."""

from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.core.db import Database
from app.core.errors import NotFound, Problem
from app.tools import approving, service
from app.tools.dependencies import Approver, DecideLimit, ProvenApprover
from app.tools.schemas import Seen
from app.tools.settings import ToolsSettings
from app.web import flash, render
from app.web.forms import read
from app.web.navigation import Link

PAGE = "/approvals"
NAVIGATION = [Link("Approvals", PAGE, "tools.approve", icon="check", order=30)]
TONES = {"waiting": "warning", "done": "success", "failed": "danger"}
REASONS = {
    "interrupted": "The server stopped while it ran. It is not run again.",
    "not_permitted": "Who asked for it may no longer do it.",
    "arguments": "The tool has changed since it was asked for.",
    "too_slow": "It took too long and was stopped.",
    "not_called": "The server that it needs may not be called.",
    "no_answer": "The server that it needs gave no usable answer.",
}
SAID = {"done": "It is done.", "refused": "Not done: who asked for it may no longer do it."}

router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("")
async def show_approvals(
    request: Request,
    db: Database,
    person: Approver,
    before: UUID | None = None,
    decided_before: UUID | None = None,
) -> HTMLResponse:
    waiting, more = await service.listed(db, person, show="waiting", before=before)
    decided, older = await service.listed(db, person, show="decided", before=decided_before)
    both = {"before": before, "decided_before": decided_before}

    def page(**where: UUID | None) -> str:
        kept = {name: str(one) for name, one in (both | where).items() if one}
        return f"{PAGE}?{urlencode(kept)}" if kept else PAGE

    own_too = not ToolsSettings.load().four_eyes
    entitled = set(service.entitled(person))
    return render(
        request,
        "tools/approvals.html",
        person=person,
        waiting=waiting,
        newest=page(before=None) if before else None,
        more=page(before=more) if more else None,
        decided=decided,
        decided_newest=page(decided_before=None) if decided_before else None,
        decided_older=page(decided_before=older) if older else None,
        may_approve=lambda row: row.tool in entitled and (own_too or row.user_id != person.user_id),
        state=service.state_of,
        tones=TONES,
        reasons=REASONS,
    )


@router.post("/{approval_id}/approve")
async def approve(
    request: Request, approval_id: UUID, person: ProvenApprover, _: DecideLimit
) -> Response:
    form = await read(request, Seen)
    if form.data is None:
        return flash.redirect(PAGE, "Please look at it again.", "warning")
    try:
        outcome = await approving.approve(person, approval_id, form.data.fingerprint)
    except NotFound:
        raise
    except Problem as problem:
        return flash.redirect(PAGE, problem.detail, "danger")
    tone: flash.Tone = "success" if outcome.state == "done" else "danger"
    return flash.redirect(PAGE, SAID.get(outcome.state, f"It failed. {outcome.text}"), tone)


@router.post("/{approval_id}/decline")
async def decline(approval_id: UUID, db: Database, person: Approver, _: DecideLimit) -> Response:
    try:
        await service.decline(db, person, approval_id)
    except service.NotWaiting as problem:
        return flash.redirect(PAGE, problem.detail, "danger")
    return flash.redirect(PAGE, "It is declined.")
