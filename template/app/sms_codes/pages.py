from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from app.access.access import public
from app.core.db import Database, elevated
from app.sms_codes import account_pages, messages, sign_in_pages
from app.sms_codes.dependencies import texts_only
from app.web import render

STAND_INS = [("Text messages", "/dev/texts")]
"""Beside the dev inbox of mail."""

router = APIRouter(include_in_schema=False)
dev = APIRouter(
    prefix="/dev/texts",
    dependencies=[public(), Depends(texts_only)],
    include_in_schema=False,
)


@dev.get("")
async def show_texts(request: Request, db: Database) -> HTMLResponse:
    """The text messages that this app would have sent."""
    async with elevated(db):
        texts = await messages.inbox(db)
    return render(request, "sms_codes/texts.html", texts=texts)


for part in (account_pages.router, sign_in_pages.router, dev):
    router.routes.extend(part.routes)
