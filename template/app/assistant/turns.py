"""A turn: a question and its answer, each stored in a short transaction beside the model call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from app.access.person import Person
from app.assistant.service import NoSuchConversation
from app.assistant.statements import (
    ANSWER,
    ASKED_BEFORE,
    FORGET,
    HISTORY,
    IS_THERE,
    QUESTION,
    RELEASE,
    SAID,
    TAKE,
)
from app.core.clock import now
from app.core.direct import Direct
from app.core.errors import Conflict, Invalid
from app.core.ids import uuid7
from app.llm.draft import Outcome
from app.llm.port import Message
from app.llm.settings import LLMSettings

MESSAGES_TO_REMEMBER = 400
TITLE_CHARACTERS = 60


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
    question: str
    history: Sequence[Message]
    answer: Earlier | None
    tainted: bool = True
    """Something in the conversation was neither written by the person nor by the app."""

    @property
    def is_answered(self) -> bool:
        return self.answer is not None and self.answer.state != "interrupted"


async def begin(
    db: Direct, person: Person, conversation_id: UUID, text: str, key: str | None = None
) -> Turn:
    """Store a question. Sent again with the same `key` it stays one question."""
    moment = now()
    # Who dies while answering blocks it no longer than a call may last.
    longest = timedelta(seconds=LLMSettings.load().deadline_seconds + 30)
    place = {"conversation_id": conversation_id}
    taken, asked, said = await db.fetch_all(
        (TAKE, place | {"moment": moment, "until": moment + longest}),
        (ASKED_BEFORE, place | {"key": key}),
        (HISTORY, place | {"limit": MESSAGES_TO_REMEMBER}),
    )
    if not taken:
        if not await db.fetch(IS_THERE, place):
            raise NoSuchConversation
        raise StillAnswering("An answer is still being written here. Please wait for it.")
    before = {role: (turn_id, *rest) for role, turn_id, *rest in asked}
    turn_id, question, *_ = before.get("user", (uuid7(), None))
    if question not in {None, text}:
        raise KeyUsedBefore("This Idempotency-Key was used for another question.")
    answer = Earlier(*before["assistant"][1:]) if "assistant" in before else None
    [[tainted]] = taken
    turn = Turn(turn_id, conversation_id, text, _history(said, turn_id), answer, tainted)
    if question is None:
        db.write(QUESTION, _place(person, turn) | {"id": turn_id, "text": text, "key": key})
    if turn.is_answered:
        db.write(RELEASE, place)
    return turn


async def keep(person: Person, turn: Turn, db: Direct, outcome: Outcome) -> None:
    """Store what became of the answer; a retry takes the place of one that broke off."""
    place = _place(person, turn)
    if outcome.state == "refused":
        db.write(RELEASE, place)
        if turn.answer is None:  # What may not be asked is not kept either.
            db.write(FORGET, place)
        return
    title = title_of(turn.question)
    db.write(SAID, place | {"moment": now(), "title": title, "tainted": outcome.tainted})
    # No word and no tool is no answer: the question stays open for a retry.
    if outcome.text or outcome.uses:
        kept = {
            "id": uuid7(),
            "text": outcome.text,
            "state": outcome.state,
            "call_id": outcome.call_id,
            "details": Jsonb(outcome.details),
        }
        db.write(ANSWER, place | kept)


def _place(person: Person, turn: Turn) -> dict[str, Any]:
    return {
        "organization_id": person.organization_id,
        "user_id": person.user_id,
        "conversation_id": turn.conversation_id,
        "turn_id": turn.id,
    }


def title_of(question: str) -> str:
    """The beginning of a question, cut between two words."""
    line = " ".join(question.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    cut = line[:TITLE_CHARACTERS]
    return (cut.rpartition(" ")[0] or cut) + " …"


def _history(rows: Sequence[Sequence[Any]], turn_id: UUID) -> Sequence[Message]:
    """What was said before this turn, oldest first, without what had no answer.

    A question that a guard refused would have every later one refused as well.
    """
    answered = {
        turn for turn, role, _, state in rows if role == "assistant" and state != "withheld"
    }
    earlier = (row for row in reversed(rows) if row[0] in answered and row[0] < turn_id)
    return [Message(role, text) for _, role, text, _ in earlier]
