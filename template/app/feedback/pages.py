"""What people said of answers, for those who look after them."""

from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.access.access import allow
from app.access.person import Person
from app.core.db import Database
from app.feedback import service
from app.web import render
from app.web.navigation import Link

PAGE = "/feedback"
NAVIGATION = [Link("Feedback", PAGE, "feedback.read", "Use and quality", "thumb-up", 74)]

router = APIRouter(include_in_schema=False)


@router.get(PAGE)
async def show_feedback(
    request: Request,
    db: Database,
    person: Annotated[Person, allow("feedback.read")],
    rating: Literal["up", "down", ""] = "",
    before: UUID | None = None,
) -> HTMLResponse:
    found, following = await service.given(db, rating=rating, before=before)
    kept = {"rating": rating} if rating else {}
    return render(
        request,
        "feedback/list.html",
        person=person,
        found=found,
        rating=rating,
        newest=f"{PAGE}?{urlencode(kept)}" if before else None,
        older=f"{PAGE}?{urlencode(kept | {'before': following})}" if following else None,
    )
