from uuid import UUID

from fastapi import APIRouter, Response

from app.core.db import Database
from app.own_data import service
from app.own_data.answering import attached
from app.own_data.dependencies import AskLimit, ProvenSelf
from app.web import flash

PAGE = "/account/security"
router = APIRouter(prefix="/account/own-data", include_in_schema=False)


@router.post("")
async def ask(db: Database, person: ProvenSelf, _: AskLimit) -> Response:
    try:
        await service.ask(db, person)
    except service.BeingMade as problem:
        return flash.redirect(PAGE, problem.detail, "warning")
    return flash.redirect(PAGE, "Your data is being put together. A mail tells you when.")


@router.get("/{export_id}")
async def download(export_id: UUID, db: Database, person: ProvenSelf) -> Response:
    return attached(await service.file(db, person, export_id))
