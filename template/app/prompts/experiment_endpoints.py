from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from app.access.person import Person
from app.core.db import Database
from app.core.problems import may
from app.prompts import experiments, service, shadows
from app.prompts.experiments import AlreadyRunning
from app.prompts.models import PromptExperiment
from app.prompts.schemas import (
    EndIn,
    ExperimentIn,
    ExperimentOut,
    ReadOutOut,
    ShadowIn,
    ShadowOut,
)
from app.prompts.shadows import ShadowRunning
from app.usage.prices import MILLION
from app.users.operators import operators

router = APIRouter(prefix="/api/prompts", tags=["prompts"])

Reader = Annotated[Person, operators("prompts.read")]
Releaser = Annotated[Person, operators("prompts.release", recent=True)]
Name = Annotated[str, Path(max_length=80)]


@router.get("/{name}/experiments", response_model=list[ExperimentOut])
async def list_experiments(name: Name, db: Database, person: Reader) -> list[PromptExperiment]:
    """The latest first."""
    found = await service.prompt(db, name)
    return [*await experiments.experiments(db, found.prompt.id)]


@router.post(
    "/{name}/experiments",
    status_code=201,
    response_model=ExperimentOut,
    responses=may(AlreadyRunning),
)
async def start_experiment(
    name: Name, wanted: ExperimentIn, db: Database, person: Releaser
) -> PromptExperiment:
    """Answer some of the people with a version, the same ones for as long as it runs.

    They see it, so it needs what a release needs.
    """
    made = await experiments.start(
        db,
        person,
        name,
        wanted.version,
        percent=wanted.percent,
        hypothesis=wanted.hypothesis,
        effect=wanted.effect,
        reason=wanted.reason,
    )
    await db.refresh(made)
    return made


@router.get("/{name}/shadows")
async def list_shadows(name: Name, db: Database, person: Reader) -> list[ShadowOut]:
    """What candidates would have answered like; no word of it is kept."""
    found = await service.prompt(db, name)
    return [
        ShadowOut(
            id=one.shadow.id,
            version=one.version,
            percent=one.shadow.percent,
            microdollars_per_day=one.shadow.microdollars_per_day,
            answers=one.answers,
            answered=one.answered,
            stopped=one.stopped,
            similarity=one.similarity,
            shown_words=one.shown_words,
            words=one.words,
            microdollars=one.microdollars,
            created_at=one.shadow.created_at,
            ended_at=one.shadow.ended_at,
            ended_because=one.shadow.ended_because,
        )
        for one in await shadows.numbers(db, found.prompt.id)
    ]


@router.post("/{name}/shadows", status_code=204, responses=may(ShadowRunning))
async def start_shadow(name: Name, wanted: ShadowIn, db: Database, person: Releaser) -> None:
    """Ask a version as well for some of the answers; nobody is shown what it says."""
    await shadows.start(
        db,
        person,
        name,
        wanted.version,
        percent=wanted.percent,
        microdollars_per_day=round(wanted.dollars_per_day * MILLION),
    )


@router.post("/shadows/{shadow_id}/end", status_code=204)
async def end_shadow(
    shadow_id: UUID,
    form: EndIn,
    db: Database,
    person: Annotated[Person, operators("prompts.release")],
) -> None:
    """Within a second nothing more is asked."""
    await shadows.end(db, person, shadow_id, form.reason)


@router.get("/experiments/{experiment_id}")
async def read_experiment(experiment_id: UUID, db: Database, person: Reader) -> ReadOutOut:
    """What the thumbs say so far, with intervals, and whether it is enough to decide."""
    return ReadOutOut.model_validate(await experiments.read_out(db, experiment_id))


@router.post("/experiments/{experiment_id}/end", status_code=204)
async def end_experiment(
    experiment_id: UUID,
    form: EndIn,
    db: Database,
    person: Annotated[Person, operators("prompts.release")],
) -> None:
    """The kill switch: within a second everyone is answered with the live version again."""
    await experiments.end(db, person, experiment_id, form.reason)
