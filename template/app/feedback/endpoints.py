from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from app.access.access import allow
from app.access.person import Person
from app.core.db import Database
from app.feedback import service
from app.feedback.models import Feedback
from app.feedback.schemas import FeedbackIn, FeedbackOut, GivenOut, GivenPage

router = APIRouter(prefix="/api/feedback", tags=["feedback"])


@router.put("/{call_id}", response_model=FeedbackOut)
async def give_feedback(
    call_id: UUID,
    feedback: FeedbackIn,
    db: Database,
    person: Annotated[Person, allow("feedback.give")],
) -> Feedback:
    """Say what you think of an answer of yours; saying it again replaces what you said."""
    return await service.give(db, person, call_id, **feedback.model_dump())


@router.get("", dependencies=[allow("feedback.read")])
async def list_feedback(
    db: Database,
    rating: Literal["up", "down"] | None = None,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> GivenPage:
    """What people said of answers and how they corrected them, the newest first."""
    found, following = await service.given(db, rating=rating or "", before=before, most=limit)
    return GivenPage(
        feedback=[GivenOut.model_validate(one, from_attributes=True) for one in found],
        next=following,
    )
