from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query

from app.access.access import allow, allow_detached
from app.access.person import Person
from app.assistant import service, titling, turns, uses
from app.assistant.answer import answer
from app.assistant.holding import held
from app.assistant.models import Conversation, Message
from app.assistant.schemas import (
    ConversationChange,
    ConversationIn,
    ConversationOut,
    ConversationPage,
    ConversationWithMessages,
    MessageOut,
    Question,
)
from app.core.db import Database
from app.core.problems import may
from app.core.sse import Event, EventStream
from app.limits.dependencies import limited
from app.limits.service import Rate
from app.llm.draft import Draft
from app.llm.errors import AnswerNotAsAsked
from app.llm.streaming import ending, streamed

router = APIRouter(prefix="/api/conversations", tags=["assistant"])

User = Annotated[Person, allow("assistant.use")]


@router.get("")
async def list_conversations(
    db: Database,
    person: User,
    after: Annotated[str | None, Query(max_length=80)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
) -> ConversationPage:
    """One's own conversations, the latest first."""
    found, following = await service.conversations(db, after=after, limit=limit)
    shown = [ConversationOut.model_validate(one) for one in found]
    return ConversationPage(conversations=shown, next=following)


@router.post("", status_code=201, response_model=ConversationOut)
async def create_conversation(
    conversation: ConversationIn, db: Database, person: User
) -> Conversation:
    return await service.create(db, person, conversation.title or "")


@router.get("/{conversation_id}")
async def read_conversation(
    conversation_id: UUID,
    db: Database,
    person: User,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> ConversationWithMessages:
    """A conversation with its newest turns, oldest first."""
    found = await service.conversation(db, conversation_id)
    said, earlier = await service.messages(db, conversation_id, before=before, turns=limit)
    used = await uses.as_of_now(db, person, said)
    return ConversationWithMessages(
        **ConversationOut.model_validate(found).model_dump(),
        messages=[_shown(one, used) for one in said],
        earlier=earlier,
    )


def _shown(one: Message, used: uses.Uses) -> MessageOut:
    shown = MessageOut.model_validate(one)
    if one.id in used:
        shown.metadata = shown.metadata | {"tools": used[one.id]}
    return shown


@router.patch("/{conversation_id}", response_model=ConversationOut)
async def rename_conversation(
    conversation_id: UUID, change: ConversationChange, db: Database, person: User
) -> Conversation:
    return await service.rename(db, conversation_id, change.title)


@router.post(
    "/{conversation_id}/title",
    response_model=ConversationOut,
    responses=may(titling.NothingSaid, AnswerNotAsAsked),
)
async def name_conversation(
    conversation_id: UUID,
    person: Annotated[Person, allow_detached("assistant.use")],
    _: Annotated[None, limited("title", Rate(per_minute=10), by="person")],
) -> Conversation:
    """Let a model name a conversation by what was said in it."""
    return await titling.name(person, conversation_id)


@router.delete("/{conversation_id}", status_code=204)
async def delete_conversation(conversation_id: UUID, db: Database, person: User) -> None:
    await service.remove(db, conversation_id)


@router.post(
    "/{conversation_id}/messages",
    response_class=EventStream,
    responses=may(turns.StillAnswering),
)
async def ask(
    conversation_id: UUID,
    question: Question,
    person: Annotated[Person, allow_detached("assistant.use")],
    _: Annotated[None, limited("ask", Rate(per_minute=20), by="person")],
    key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=64)] = None,
) -> EventStream:
    """Ask, and read the answer as server-sent events.

    `delta` adds text, `replace` takes the place of all text before, `tool` tells of one that the
    model uses, `sources` where the answer stands, `done` or `error` comes last. To retry, send the
    same text and `Idempotency-Key` again. What does not fit into a budget is refused with 429:
    `calls-spent`, `tokens-spent` and `budget-spent` name yours or your organisation's,
    `service-budget-spent` that of all who use the service.
    """
    return EventStream(_turn(person, conversation_id, question.text, key))


async def _turn(
    person: Person, conversation_id: UUID, text: str, key: str | None
) -> AsyncGenerator[Event, None]:
    """Store the question, answer it while no transaction is open, store the answer."""
    turn = await turns.begin(person, conversation_id, text, key)
    if turn.answer is not None and turn.is_answered:
        for use in turn.answer.details.get("tools", []):
            yield "tool", use
        yield "delta", {"text": turn.answer.text}
        for event in ending(turn.answer.details, turn.answer.call_id):
            yield event
        return
    draft = Draft(person, partial(turns.keep, person, turn))
    written = answer(
        person,
        turn.history,
        turn.question,
        draft,
        conversation_id=conversation_id,
        turns=turn.turns,
        memory=turn.memory,
        tainted=turn.tainted,
    )
    with held(conversation_id, turn.holder):
        async with aclosing(streamed(written, draft)) as events:
            async for event in events:
                yield event
