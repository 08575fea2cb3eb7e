from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from app.access.access import public
from app.core.db import Database, elevated
from app.mail import service
from app.mail.dependencies import inbox_only
from app.mail.html import paragraphs
from app.modules import parts
from app.web import render

router = APIRouter(
    prefix="/dev/inbox",
    dependencies=[public(), Depends(inbox_only)],
    include_in_schema=False,
)


@router.get("")
async def show_inbox(request: Request, db: Database, to: str = "") -> HTMLResponse:
    """The mail that this app would have sent."""
    async with elevated(db):
        letters = await service.inbox(db, to)
    others = [link for part in parts("pages") for link in getattr(part, "STAND_INS", ())]
    return render(request, "mail/inbox.html", letters=letters, to=to, others=others)


@router.get("/{message_id}")
async def show_letter(request: Request, db: Database, message_id: UUID) -> HTMLResponse:
    async with elevated(db):
        letter = await service.letter(db, message_id)
    return render(request, "mail/letter.html", letter=letter, body=paragraphs(letter.body))
