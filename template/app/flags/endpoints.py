from typing import Annotated

from fastapi import APIRouter, Path

from app.access.person import Person
from app.core.db import Database
from app.core.problems import may
from app.flags import service
from app.flags.schemas import FlagIn, FlagOut
from app.flags.service import NoSuchFlag
from app.users.operators import operators

router = APIRouter(prefix="/api/flags", tags=["flags"])

Name = Annotated[str, Path(max_length=80)]


@router.get("")
async def list_flags(
    db: Database, person: Annotated[Person, operators("flags.read")]
) -> list[FlagOut]:
    """Every flag that code asks for or somebody has set."""
    return [FlagOut.model_validate(one) for one in await service.flags(db)]


@router.put("/{name}", status_code=204, responses=may(NoSuchFlag))
async def set_flag(
    name: Name,
    wanted: FlagIn,
    db: Database,
    person: Annotated[Person, operators("flags.set", recent=True)],
) -> None:
    """Set a flag for the whole installation; every process notices within a second."""
    await service.set_flag(db, name, person=person, **wanted.model_dump())
