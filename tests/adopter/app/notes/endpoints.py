from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter

from app.access.access import allow
from app.access.person import Person
from app.core.db import Database
from app.notes import service
from app.notes.schemas import NoteIn

router = APIRouter(prefix="/api/notes", tags=["notes"])


@router.post("", status_code=201)
async def keep(
    note: NoteIn, db: Database, person: Annotated[Person, allow("notes.keep")]
) -> dict[str, str]:
    await service.keep(db, person.organization_id, note.text)
    return {"text": note.text}


@router.get("")
async def read(db: Database, _: Annotated[Person, allow("notes.keep")]) -> Sequence[str]:
    return await service.texts(db)
