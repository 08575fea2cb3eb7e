"""A turn: a question and its answer, each stored by one statement beside the model call."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.exc import DBAPIError

from app.access.person import Person
from app.assistant.holding import SECONDS
from app.assistant.memory import Memory
from app.assistant.service import NoSuchConversation
from app.assistant.statements import ANSWER, ASK, FORGET, RELEASE
from app.core.clock import now
from app.core.direct import Direct, direct
from app.core.errors import Conflict, Invalid
from app.core.ids import uuid7
from app.limits.connections import fetch_all
from app.llm.draft import Outcome
from app.llm.port import Message

MESSAGES_TO_REMEMBER = 400
TITLE_CHARACTERS = 60
# Tools were used and then it ended. Most providers refuse a conversation for an empty message.
WORDLESS = "[The app: this answer broke off before its first word.]"


class StillAnswering(Conflict):
    """One answer is written at a time, so that each knows what was said before."""


class KeyUsedBefore(Invalid):
    """The idempotency key belongs to another question."""


@dataclass(frozen=True)
class Earlier:
    """What there is of an answer from before, when the same question was sent again."""

    text: str
    state: str
    call_id: UUID | None
    details: dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """A question on its way to an answer."""

    id: UUID
    conversation_id: UUID
    holder: UUID
    """Who writes its answer: another one when it is asked again."""
    question: str
    key: str | None
    history: Sequence[Message]
    turns: Sequence[UUID]
    """The turn of each of these messages."""
    memory: Memory
    answer: Earlier | None
    tainted: bool = True
    """Something in the conversation was neither written by the person nor by the app."""

    @property
    def is_answered(self) -> bool:
        return self.answer is not None and self.answer.state != "interrupted"


async def begin(person: Person, conversation_id: UUID, text: str, key: str | None = None) -> Turn:
    """Store a question. Sent again with the same `key` it stays one question.

    One statement that commits by itself: no transaction is open while the model is asked.
    """
    asked = {"question": text, "key": key, "seconds": SECONDS, "most": MESSAGES_TO_REMEMBER}
    holder = uuid7()
    place = place_of(person, conversation_id, holder, holder)
    asking = asyncio.create_task(fetch_all(ASK, place | asked))
    try:
        (what, turn_id, *_, tainted), *rows = await asyncio.shield(asking)
    except (asyncio.CancelledError, psycopg.OperationalError, TimeoutError):
        await asyncio.gather(asking, return_exceptions=True)
        await _let_go(person, place)
        raise
    if what == "missing":
        raise NoSuchConversation
    if what == "answering":
        raise StillAnswering("An answer is still being written here. Please wait for it.")
    if what == "other question":
        raise KeyUsedBefore("This Idempotency-Key was used for another question.")
    answer = None
    if rows and rows[0][0] == "answer":
        answer, rows = Earlier(*rows[0][2:6]), rows[1:]
    memory = Memory()
    if rows and rows[0][0] == "memory":
        memory, rows = Memory(rows[0][2], rows[0][1]), rows[1:]
    said = history_of(rows)
    history, turns = [one for one, _ in said], [turn for _, turn in said]
    return Turn(
        turn_id, conversation_id, holder, text, key, history, turns, memory, answer, tainted
    )


async def _let_go(person: Person, values: dict[str, Any]) -> None:
    """Whether the question was stored or not, nobody answers it: it blocks no other."""
    for _ in range(2):  # The first one may find out that a connection is gone.
        with suppress(psycopg.OperationalError, DBAPIError, TimeoutError):
            async with direct(organization_id=person.organization_id, user_id=person.user_id) as db:
                db.write(RELEASE, values)
            return


async def keep(person: Person, turn: Turn, db: Direct, outcome: Outcome) -> None:
    """Store what became of the answer; a retry takes the place of one that broke off."""
    place = place_of(person, turn.conversation_id, turn.id, turn.holder)
    if outcome.state == "refused":
        db.write(RELEASE, place)
        if turn.answer is None:  # What may not be asked is not kept either.
            db.write(FORGET, place)
        return
    kept = {
        "question": turn.question,
        "key": turn.key,
        "moment": now(),
        "title": title_of(turn.question),
        "tainted": outcome.tainted,
        # No word and no tool is no answer: the question stays open for a retry.
        "id": uuid7() if outcome.text or outcome.uses else None,
        "text": outcome.text,
        "state": outcome.state,
        "call_id": outcome.call_id,
        "details": Jsonb(outcome.details),
    }
    db.write(ANSWER, place | kept)


def place_of(person: Person, conversation_id: UUID, turn_id: UUID, holder: UUID) -> dict[str, Any]:
    return {
        "organization_id": person.organization_id,
        "user_id": person.user_id,
        "conversation_id": conversation_id,
        "turn_id": turn_id,
        "holder": holder,
    }


def title_of(question: str) -> str:
    """The beginning of a question, cut between two words."""
    line = " ".join(question.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    cut = line[:TITLE_CHARACTERS]
    return (cut.rpartition(" ")[0] or cut) + " …"


def history_of(rows: Sequence[Sequence[Any]]) -> Sequence[tuple[Message, UUID]]:
    """What was said before, oldest first, without what had no answer. The rows come newest first.

    A question that a guard refused would have every later one refused as well. What the app itself
    said of an approval stays.
    """
    answered = {
        turn for role, turn, _, state, *_ in rows if role == "assistant" and state != "withheld"
    }
    return [
        (
            Message("user", f"[The app: {text}]")
            if role == "event"
            else Message(role, text if text.strip() else WORDLESS),
            turn,
        )
        for role, turn, text, *_ in reversed(rows)
        if turn in answered or role == "event"
    ]
