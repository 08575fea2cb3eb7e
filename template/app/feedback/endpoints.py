from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from app.access.access import allow
from app.access.person import Person
from app.core.db import Database
from app.feedback import service
from app.feedback.models import Feedback
from app.feedback.schemas import FeedbackIn, FeedbackOut

router = APIRouter(prefix="/api/feedback", tags=["feedback"])


@router.put("/{call_id}", response_model=FeedbackOut)
async def give_feedback(
    call_id: UUID,
    feedback: FeedbackIn,
    db: Database,
    person: Annotated[Person, allow("feedback.give")],
) -> Feedback:
    """Say what you think of an answer of yours; saying it again replaces what you said."""
    return await service.give(db, person, call_id, feedback.rating, feedback.comment)
