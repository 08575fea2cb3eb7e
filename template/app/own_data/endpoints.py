from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from app.core.db import Database
from app.core.problems import may
from app.own_data import service
from app.own_data.answering import attached
from app.own_data.dependencies import AskLimit, ProvenSelf, Self
from app.own_data.schemas import ExportOut, OwnData

router = APIRouter(prefix="/api/own-data", tags=["own data"])
FILE: dict[int | str, dict[str, Any]] = {200: {"description": "The file.", "model": OwnData}}


@router.post("", status_code=202, responses=may(service.BeingMade))
async def ask_for_data(db: Database, person: ProvenSelf, _: AskLimit) -> ExportOut:
    """Have what is held about you put together; you are told by mail when it is there."""
    return ExportOut.model_validate(await service.ask(db, person))


@router.get("")
async def list_exports(db: Database, person: Self) -> list[ExportOut]:
    """The files with your data that are there, the newest first."""
    return [ExportOut.model_validate(one) for one in await service.exports(db, person)]


@router.get(
    "/{export_id}/file", response_class=Response, responses=FILE | may(service.NoSuchExport)
)
async def download_export(export_id: UUID, db: Database, person: ProvenSelf) -> Response:
    """The rows of each table by its name, and why others are left out."""
    return attached(await service.file(db, person, export_id))
