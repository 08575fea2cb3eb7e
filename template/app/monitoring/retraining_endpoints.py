"""Decisions on retraining and the dataset, for those who run the app."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.access.person import Person
from app.core.db import Database
from app.core.problems import may
from app.monitoring import dataset, deciding
from app.monitoring.deciding import NoSuchDecision, NotDecided, NoTuning
from app.monitoring.models import Decision
from app.monitoring.schemas import DecisionOut
from app.prompts import service as prompts
from app.prompts.service import NoSuchPrompt
from app.users.operators import operators

router = APIRouter(prefix="/api/monitoring", tags=["monitoring"])
Reader = Annotated[Person, operators("monitoring.retrain")]
Decider = Annotated[Person, operators("monitoring.retrain", recent=True)]

JSONL: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}
}


@router.get("/decisions", response_model=list[DecisionOut])
async def read_decisions(db: Database, person: Reader) -> Sequence[Decision]:
    """What the rules for retraining said, the newest first."""
    return await deciding.decisions(db)


@router.post(
    "/decisions/{decision_id}/start",
    status_code=202,
    response_model=DecisionOut,
    responses=may(NoSuchDecision, NotDecided, NoTuning),
)
async def start(decision_id: UUID, db: Database, person: Decider) -> Decision:
    """Send the corrections to the provider and let it train. It costs what the provider says."""
    return await deciding.start(db, person, decision_id)


@router.post(
    "/decisions/{decision_id}/drop",
    response_model=DecisionOut,
    responses=may(NoSuchDecision, NotDecided),
)
async def drop(decision_id: UUID, db: Database, person: Decider) -> Decision:
    """Not now: the rule is asked again after its days."""
    return await deciding.drop(db, person, decision_id)


@router.get("/dataset", response_class=Response, responses=JSONL | may(NoSuchPrompt))
async def export_dataset(
    db: Database, person: Decider, prompt: Annotated[str, Query(max_length=80)]
) -> Response:
    """Corrections as examples to train on, in OpenAI's chat format; without those held out."""
    await prompts.prompt(db, prompt)
    return Response(
        await dataset.export(db, person, prompt),
        media_type="application/jsonl",
        headers={"Content-Disposition": 'attachment; filename="training.jsonl"'},
    )
