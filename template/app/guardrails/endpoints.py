from typing import Annotated

from fastapi import APIRouter

from app.access.access import allow
from app.access.person import Person
from app.core.db import Database
from app.core.problems import may
from app.guardrails import service
from app.guardrails.schemas import GuardsIn, GuardsOut
from app.guardrails.service import GuardsChanged, NoSuchGuard, NotStricter

router = APIRouter(prefix="/api/guards", tags=["guards"])


@router.get("")
async def read_guards(db: Database, person: Annotated[Person, allow("guards.read")]) -> GuardsOut:
    """What this organisation wants stricter than the installation."""
    return GuardsOut.model_validate(await service.own(db, person))


@router.put("", responses=may(NoSuchGuard, NotStricter, GuardsChanged))
async def set_guards(
    wanted: GuardsIn,
    db: Database,
    person: Annotated[Person, allow("guards.set", recent=True)],
) -> GuardsOut:
    """Make guards stricter for this organisation; every process notices within a second."""
    found = await service.set_own(db, person, **wanted.model_dump())
    return GuardsOut.model_validate(found)
