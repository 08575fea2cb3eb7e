from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.access import allow, allow_detached
from app.access.person import Person
from app.assistant import service, titling, uses
from app.assistant.models import Conversation, Message
from app.assistant.schemas import ConversationChange
from app.core.clock import now
from app.core.db import Database
from app.core.errors import NotFound, Problem
from app.feedback.service import ratings
from app.limits.dependencies import limited
from app.limits.service import Rate
from app.review.settings import ReviewSettings
from app.web import flash, render
from app.web.forms import blank, read
from app.web.navigation import Link

router = APIRouter(prefix="/chat", include_in_schema=False)

NAVIGATION = [Link("Chat", "/chat", "assistant.use", icon="chat", order=10)]
SUGGESTIONS = (
    "How do I move my proof of concept in?",
    "How do the template's improvements get here?",
    "How long are conversations kept?",
)

GOES_ON_WITHIN = timedelta(minutes=30)
NOTES = {"interrupted": "Interrupted", "withheld": "Withheld"}
REVIEWED = {
    "waiting": "A person will look at this",
    "approved": "Checked by a person",
    "corrected": "Corrected by a person",
    "rejected": "A person found this wrong",
}

User = Annotated[Person, allow("assistant.use")]
After = Annotated[str | None, Query(max_length=80)]


@router.get("")
async def show_new(
    request: Request, db: Database, person: User, after: After = None
) -> HTMLResponse:
    return await _page(request, db, person, after=after)


@router.get("/{conversation_id}")
async def show(
    request: Request,
    conversation_id: UUID,
    db: Database,
    person: User,
    before: UUID | None = None,
    after: After = None,
) -> HTMLResponse:
    conversation = await service.conversation(db, conversation_id)
    said, earlier = await service.messages(db, conversation_id, before=before)
    return await _page(
        request, db, person, conversation, said, earlier, is_past=before is not None, after=after
    )


async def _page(
    request: Request,
    db: AsyncSession,
    person: Person,
    conversation: Conversation | None = None,
    said: Sequence[Message] = (),
    earlier: UUID | None = None,
    *,
    is_past: bool = False,
    after: str | None,
) -> HTMLResponse:
    conversations, older = await service.conversations(db, after=after, limit=50)
    used = await uses.as_of_now(db, person, said)
    return render(
        request,
        "assistant/chat.html",
        person=person,
        conversation=conversation,
        naming=blank(title=conversation.title if conversation else ""),
        # One that nobody has asked anything in is not worth a line.
        conversations=[one for one in conversations if one.title],
        older=older and f"?{urlencode({'after': older})}",
        said=said,
        earlier=earlier,
        tools_of=lambda message: used.get(message.id, []),
        note_of=_note,
        answering=conversation is not None and await _is_answering(db, conversation, said),
        retry_key=None if is_past else _unfinished_key(said),
        ratings=await ratings(db, person, [one.call_id for one in said if one.call_id]),
        suggestions=SUGGESTIONS,
        are_read=ReviewSettings.load().reads("assistant"),
    )


def _note(message: Message) -> str:
    """Below an answer: that it is not whole, what people have to do with it, what else to know."""
    review = message.details.get("review") or {}
    said = REVIEWED.get(review.get("state", ""), NOTES.get(message.state, ""))
    if note := review.get("note"):
        said = f"{said}: {note}"
    return ". ".join([*([said] if said else []), *message.details.get("marks", [])])


async def _is_answering(
    db: AsyncSession, conversation: Conversation, said: Sequence[Message]
) -> bool:
    if await service.is_answering(db, conversation.id):
        return True
    # After an approval the model goes on by itself, or is asked once more after a failure.
    latest = now() - GOES_ON_WITHIN
    return any(
        one.role == "event" and not one.details["went_on"] and one.created_at > latest
        for one in said
    )


def _unfinished_key(said: Sequence[Message]) -> str | None:
    """The key to ask the last question again with, when it has no whole answer."""
    last = said[-1] if said else None
    if last is None or (last.role == "assistant" and last.state != "interrupted"):
        return None
    return next(
        (
            one.idempotency_key
            for one in reversed(said)
            if one.turn_id == last.turn_id and one.role == "user"
        ),
        None,
    )


@router.post("/{conversation_id}/rename")
async def rename(request: Request, conversation_id: UUID, db: Database, person: User) -> Response:
    form = await read(request, ConversationChange)
    page = f"/chat/{conversation_id}"
    if form.data is None:
        return flash.redirect(page, "A title has 1 to 120 characters.", "warning")
    await service.rename(db, conversation_id, form.data.title)
    return flash.redirect(page)


@router.post("/{conversation_id}/title")
async def suggest_title(
    conversation_id: UUID,
    person: Annotated[Person, allow_detached("assistant.use")],
    _: Annotated[None, limited("title", Rate(per_minute=10), by="person")],
) -> Response:
    page = f"/chat/{conversation_id}"
    try:
        await titling.name(person, conversation_id)
    except NotFound:
        raise
    except Problem as problem:
        return flash.redirect(page, problem.detail, "warning")
    return flash.redirect(page)


@router.post("/{conversation_id}/delete")
async def delete(conversation_id: UUID, db: Database, person: User) -> Response:
    await service.remove(db, conversation_id)
    return flash.redirect("/chat", "The conversation is deleted.")
