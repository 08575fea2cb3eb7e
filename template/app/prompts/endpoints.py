from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.access.person import Person
from app.core.db import Database
from app.core.problems import may
from app.prompts import experiment_endpoints, service
from app.prompts.costs import cost_of
from app.prompts.schemas import (
    CostOut,
    DiffLineOut,
    LabelIn,
    MoveOut,
    PromptOut,
    VersionIn,
    VersionOut,
    VersionWithCost,
)
from app.prompts.service import GateNotPassed, NothingChanged, Overview
from app.prompts.text import diff
from app.users.operators import operators

router = APIRouter(
    prefix="/api/prompts", tags=["prompts"], routes=experiment_endpoints.router.routes
)

Reader = Annotated[Person, operators("prompts.read")]
Name = Annotated[str, Path(max_length=80)]
Number = Annotated[int, Path(ge=1, le=1_000_000)]


def _out(one: Overview) -> PromptOut:
    prompt = one.prompt
    return PromptOut(
        name=prompt.name,
        purpose=prompt.purpose,
        variables=prompt.variables,
        labels=one.labels,
        newest=one.newest,
    )


@router.get("")
async def list_prompts(db: Database, person: Reader) -> list[PromptOut]:
    """Every prompt, and which version each label points to."""
    return [_out(one) for one in await service.prompts(db)]


@router.get("/{name}/versions")
async def list_versions(name: Name, db: Database, person: Reader) -> list[VersionOut]:
    """All versions of a prompt, the newest first."""
    found = await service.prompt(db, name)
    return [VersionOut.model_validate(one) for one in await service.versions(db, found.prompt.id)]


@router.post("/{name}/versions", status_code=201, responses=may(NothingChanged))
async def write_version(
    name: Name,
    wanted: VersionIn,
    db: Database,
    person: Annotated[Person, operators("prompts.write")],
) -> VersionOut:
    """Add a version. It gets the label draft; nobody is answered with it yet."""
    made = await service.add_version(db, person, name, wanted.text, wanted.rationale)
    await db.refresh(made)
    return VersionOut.model_validate(made)


@router.get("/{name}/versions/{number}")
async def read_version(name: Name, number: Number, db: Database, person: Reader) -> VersionWithCost:
    """One version, its length, its cost, and what keeps it from going live."""
    found = (await service.prompt(db, name)).prompt
    one = await service.version(db, found.id, number)
    return VersionWithCost(
        **VersionOut.model_validate(one).model_dump(),
        cost=CostOut.model_validate(cost_of(one.text)),
        lacking=await service.lacking(db, found, one),
    )


@router.get("/{name}/versions/{number}/diff")
async def compare_versions(
    name: Name,
    number: Number,
    db: Database,
    person: Reader,
    since: Annotated[int, Query(ge=1, le=1_000_000)],
) -> list[DiffLineOut]:
    """What changed from version `since` to this one, line by line."""
    found = (await service.prompt(db, name)).prompt
    one = await service.version(db, found.id, number)
    before = await service.version(db, found.id, since)
    return [DiffLineOut.model_validate(line) for line in diff(before.text, one.text)]


@router.put("/{name}/versions/{number}/label", responses=may(GateNotPassed))
async def move_label(
    name: Name,
    number: Number,
    wanted: LabelIn,
    db: Database,
    person: Annotated[Person, operators("prompts.release", recent=True)],
) -> MoveOut:
    """Let a label point to this version. All processes answer with the live one within a second.

    A version that was live before may come back at once: that is the rollback.
    """
    moved = await service.move_label(db, person, name, number, wanted.label, wanted.reason)
    await db.refresh(moved)
    return MoveOut(
        version=number,
        label=moved.label,
        gate=moved.gate,
        reason=moved.reason,
        moved_by=moved.moved_by,
        created_at=moved.created_at,
    )


@router.get("/{name}/moves")
async def list_moves(name: Name, db: Database, person: Reader) -> list[MoveOut]:
    """How labels were moved, by whom and why, the latest first."""
    found = await service.prompt(db, name)
    return [
        MoveOut(
            version=number,
            label=one.label,
            gate=one.gate,
            reason=one.reason,
            moved_by=one.moved_by,
            created_at=one.created_at,
        )
        for one, number in await service.moves(db, found.prompt.id)
    ]
