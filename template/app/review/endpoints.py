from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.core.db import Database
from app.core.problems import may
from app.review import asking, case_endpoints, figures, service
from app.review.dependencies import Asker, AskLimit, Reviewer
from app.review.schemas import (
    AskedFor,
    AskedOut,
    FiguresOut,
    Reason,
    ReviewOut,
    ReviewPage,
    Show,
    Verdict,
    Wanted,
)

router = APIRouter(prefix="/api/review", tags=["review"], routes=case_endpoints.router.routes)


@router.get("")
async def list_reviews(
    db: Database,
    person: Reviewer,
    show: Show = "open",
    reason: Reason | None = None,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> ReviewPage:
    """The queue, the most pressing first; what was said stands with what is yours or done."""
    found, following = await service.found(
        db, person, show=show, reason=reason or "", before=before, most=limit
    )
    return ReviewPage(reviews=[ReviewOut.of(one) for one in found], next=following)


@router.get("/figures")
async def review_figures(db: Database, person: Reviewer) -> FiguresOut:
    """How long things wait, how far people agree, and what confidence was worth so far."""
    return FiguresOut.of(await figures.figures(db))


@router.post("/claim", responses=may(service.NothingToReview))
async def claim_next(wanted: Wanted, db: Database, person: Reviewer) -> ReviewOut:
    """Take the most pressing one. Whoever asks at the same moment gets another."""
    return ReviewOut.of(await service.claim(db, person, reason=wanted.reason or ""))


@router.post(
    "/asked/{call_id}", status_code=201, responses=may(asking.NoSuchAnswer, asking.LookedAtAlready)
)
async def ask_for_a_person(
    call_id: UUID, asked: AskedFor, db: Database, person: Asker, _: AskLimit
) -> AskedOut:
    """Let a person look at an answer of yours. What they say appears in its conversation."""
    item = await asking.ask(db, person, call_id, asked.comment)
    return AskedOut(call_id=item.call_id)


@router.get("/{look_id}", responses=may(service.NoSuchReview))
async def read_review(look_id: UUID, db: Database, person: Reviewer) -> ReviewOut:
    return ReviewOut.of(await service.shown(db, person, look_id))


@router.post("/{look_id}/claim", responses=may(service.NoSuchReview, service.TakenByOthers))
async def claim_one(look_id: UUID, db: Database, person: Reviewer) -> ReviewOut:
    """Take this one."""
    return ReviewOut.of(await service.claim(db, person, look_id=look_id))


@router.post(
    "/{look_id}/release",
    status_code=204,
    responses=may(service.NoSuchReview, service.NotYours),
)
async def release(look_id: UUID, db: Database, person: Reviewer) -> None:
    """Give it back unfinished."""
    await service.release(db, person, look_id)


@router.post(
    "/{look_id}/resolve",
    responses=may(
        service.NoSuchReview,
        service.NotYours,
        service.CorrectionMissing,
        service.NothingToApprove,
    ),
)
async def resolve(look_id: UUID, verdict: Verdict, db: Database, person: Reviewer) -> ReviewOut:
    """Approve, correct or reject it. Whoever asked finds that in their conversation."""
    return ReviewOut.of(await service.resolve(db, person, look_id, **verdict.model_dump()))
