from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.access.person import Person
from app.core.db import Database
from app.core.problems import may
from app.evals import cheaper, service
from app.evals.models import EvalRun
from app.evals.schemas import (
    ComparedOut,
    ModelOut,
    ResultOut,
    RunIn,
    RunOut,
    RunWithResults,
    ShareOut,
)
from app.prompts import service as prompts
from app.prompts.service import NoSuchPrompt
from app.users.operators import operators

router = APIRouter(prefix="/api/evaluations", tags=["evaluations"])

Reader = Annotated[Person, operators("evals.read")]


@router.get("", response_model=list[RunOut])
async def list_runs(
    db: Database,
    person: Reader,
    prompt: Annotated[str, Query(max_length=80)] = "",
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[EvalRun]:
    """The latest runs first."""
    return [*await service.runs(db, name=prompt, number=version, limit=limit)]


@router.post("", status_code=202, response_model=RunOut)
async def start_run(
    wanted: RunIn, db: Database, person: Annotated[Person, operators("evals.run")]
) -> EvalRun:
    """Let a worker ask all cases of a prompt with one version of it. The calls cost as any do."""
    made = await service.ask_for(db, person, wanted.prompt, wanted.version)
    await db.refresh(made)
    return made


@router.get("/compare")
async def compare_runs(db: Database, person: Reader, before: UUID, after: UUID) -> ComparedOut:
    """What became better and worse. Cases that are held out count and are not named."""
    found = await service.compare(db, before, after)
    shown = await service.open_cases(db, after)
    return ComparedOut(
        both=found.both,
        better=[_named(case, shown) for case in found.better],
        worse=[_named(case, shown) for case in found.worse],
        change=ShareOut.model_validate(found.change) if found.change else None,
    )


@router.get("/models", responses=may(NoSuchPrompt))
async def list_models(
    db: Database,
    person: Reader,
    prompt: Annotated[str, Query(max_length=80)] = "assistant.system",
) -> list[ModelOut]:
    """The usual model and cheaper ones, with their newest run of the live version."""
    await prompts.prompt(db, prompt)
    return [ModelOut.model_validate(one) for one in await cheaper.lines(db, prompt)]


def _named(case: tuple[str, str], shown: set[tuple[str, str]]) -> str:
    return "/".join(case) if case in shown else f"{case[0]}, held out"


@router.get("/{run_id}")
async def read_run(run_id: UUID, db: Database, person: Reader) -> RunWithResults:
    """A run with what came of each case. Cases that are held out keep their words to themselves."""
    run = await service.run(db, run_id)
    shown = await service.readable(db, person, run)
    return RunWithResults(
        **RunOut.model_validate(run).model_dump(),
        results=[ResultOut(**vars(one)) for one in shown],
    )
