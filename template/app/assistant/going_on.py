"""A conversation goes on by itself when what waited in it for approval is decided.

First it says what became of it, in a turn that begins with an `event` in place of a question. When
the tool has run, the model answers to its result, or to why it failed, on the budget and with the
rights that the person has now. `went_on` in the event marks that nothing more comes: nobody answers
twice.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.assistant import approved
from app.assistant.answer import answer
from app.assistant.holding import SECONDS, held
from app.assistant.memory import Memory
from app.assistant.models import Conversation, Message
from app.assistant.service import is_answering
from app.assistant.statements import RELEASE, WENT_ON
from app.assistant.turns import MESSAGES_TO_REMEMBER, history_of, place_of
from app.core.clock import now
from app.core.db import transaction
from app.core.direct import Direct
from app.core.errors import Problem, Unavailable
from app.core.ids import uuid7
from app.flags import switches
from app.jobs.queue import attempt, enqueue
from app.llm import port, rounds
from app.llm.draft import Draft, Outcome
from app.llm.errors import ModelMisconfigured
from app.llm.streaming import streamed
from app.prompts.lifespan import ready
from app.tools import service as approvals
from app.tools.models import ToolApproval
from app.tools.rights import person_now

SWITCH = "assistant.went_on"
# Someone's answer is being written; then it is this one's turn.
UNTIL_FREE = timedelta(seconds=3)
RAN = {"done", "failed"}
# Within a day of one conversation: then people go on, and not the model.
MOST_FAILURES = 3
# Asking again within minutes changes nothing about these.
LASTING = (switches.FeatureSwitchedOff, ModelMisconfigured)


@dataclass(frozen=True, slots=True)
class Resumed:
    """A conversation that is reserved for what the model says next."""

    person: Person
    conversation_id: UUID
    turn_id: UUID
    holder: UUID
    question: str
    history: Sequence[port.Message]
    turns: Sequence[UUID]
    memory: Memory
    tainted: bool
    after: Sequence[port.Message]


async def go_on(approval_id: UUID, organization_id: UUID, user_id: UUID) -> None:
    """Say what became of it, and let the model answer. Run again, it does what is left to do.

    Raises the problem of a model that may answer in a few minutes.
    """
    async with transaction(organization_id=organization_id, user_id=user_id) as db:
        resumed = await _begin(db, organization_id, user_id, approval_id)
    if resumed is None:
        return
    try:
        await switches.check_person(SWITCH, resumed.person)
        await ready()
        await _answer(resumed)
    except Problem as problem:
        may_pass = isinstance(problem, Unavailable) and not isinstance(problem, LASTING)
        over = not may_pass or attempt.get().last
        async with transaction(organization_id=organization_id, user_id=user_id) as db:
            await _leave(db, resumed, problem.detail if over else "")
        if may_pass:
            raise


async def _begin(
    db: AsyncSession, organization_id: UUID, user_id: UUID, approval_id: UUID
) -> Resumed | None:
    """Of many at the same time one gets the conversation; None when no answer is to come now."""
    approval = await approvals.own(db, user_id, approval_id)
    if approval is None or approval.conversation_id is None:
        return None
    conversation = await db.get(Conversation, approval.conversation_id, with_for_update=True)
    if conversation is None or approval.state not in approved.SAID:
        return None
    event = await _event(db, conversation, approval)
    if event.details["went_on"]:
        return None
    person = await person_now(db, user_id, approval.session_id)
    question = await _question(db, approval)
    if (
        person is None
        or question is None
        or not _may_go_on(person, approval)
        or await approvals.failures(db, conversation.id) > MOST_FAILURES
    ):
        event.details = event.details | {"went_on": True}
        return None
    if await is_answering(db, conversation.id):
        await enqueue(
            db,
            "assistant.go_on",
            run_at=now() + UNTIL_FREE,
            approval_id=approval_id,
            organization_id=organization_id,
            user_id=user_id,
        )
        return None
    holder = uuid7()
    conversation.answering = holder
    conversation.answering_until = func.clock_timestamp() + timedelta(seconds=SECONDS)
    said = history_of(await _said(db, conversation, event.turn_id))
    return Resumed(
        person,
        conversation.id,
        event.turn_id,
        holder,
        approved.told(approved.sentence(approval), question),
        [one for one, _ in said],
        [turn for _, turn in said],
        Memory(conversation.memory, conversation.memory_until),
        conversation.tainted or approved.taints(approval),
        approved.as_used(approval),
    )


def _may_go_on(person: Person, approval: ToolApproval) -> bool:
    """Without tools some models do not take the result of one."""
    has_run = approval.state in RAN
    return has_run and "assistant.use" in person.permissions and rounds.are_offered()


async def _event(db: AsyncSession, conversation: Conversation, approval: ToolApproval) -> Message:
    """The sentence in the conversation, which is locked: it stands there once."""
    about = Message.details["approval_id"].astext == str(approval.id)
    found = await db.scalar(
        select(Message).where(
            Message.conversation_id == conversation.id, Message.role == "event", about
        )
    )
    if found is not None:
        return found
    turn_id = uuid7()
    made = Message(
        id=turn_id,
        turn_id=turn_id,
        conversation_id=conversation.id,
        organization_id=conversation.organization_id,
        user_id=conversation.user_id,
        role="event",
        text=approved.sentence(approval),
        details={
            "approval_id": str(approval.id),
            "state": approval.state,
            "reason": approval.reason,
            "went_on": approval.state not in RAN,
        },
    )
    db.add(made)
    conversation.updated_at = now()
    await db.flush()
    return made


async def _question(db: AsyncSession, approval: ToolApproval) -> str | None:
    """With what it was asked for; None when the answer that did so is not to be read."""
    used = [{"approval_id": str(approval.id)}]
    turn_id = await db.scalar(
        select(Message.turn_id)
        .where(
            Message.conversation_id == approval.conversation_id,
            Message.role == "assistant",
            Message.state != "withheld",
            Message.details.contains({"tools": used}),
        )
        .order_by(Message.turn_id)
        .limit(1)
    )
    asked = select(Message.text).where(Message.turn_id == turn_id, Message.role != "assistant")
    return await db.scalar(asked) if turn_id else None


async def _said(
    db: AsyncSession, conversation: Conversation, before: UUID
) -> Sequence[Row[str, UUID, str, str]]:
    """What was said before, the newest first; what is in the summary is not read again."""
    query = select(Message.role, Message.turn_id, Message.text, Message.state).where(
        Message.conversation_id == conversation.id, Message.turn_id < before
    )
    if conversation.memory_until is not None:
        query = query.where(Message.turn_id > conversation.memory_until)
    newest = query.order_by(Message.turn_id.desc(), Message.role).limit(MESSAGES_TO_REMEMBER)
    return (await db.execute(newest)).all()


async def _answer(resumed: Resumed) -> None:
    """All that binds an answer that someone waits for binds this one, too."""
    draft = Draft(resumed.person, partial(_keep, resumed))
    written = answer(
        resumed.person,
        resumed.history,
        resumed.question,
        draft,
        conversation_id=resumed.conversation_id,
        turns=resumed.turns,
        memory=resumed.memory,
        tainted=resumed.tainted,
        after=resumed.after,
    )
    with held(resumed.conversation_id, resumed.holder):
        async with aclosing(streamed(written, draft)) as events:
            async for _ in events:
                pass  # Nobody reads along.


async def _keep(resumed: Resumed, db: Direct, outcome: Outcome) -> None:
    """Together with what the call cost. A broken answer is only kept when a tool was used."""
    place = place_of(resumed.person, resumed.conversation_id, resumed.turn_id, resumed.holder)
    if outcome.state not in {"complete", "withheld"} and not outcome.uses:
        db.write(RELEASE, place)
        return
    kept = {
        "moment": now(),
        "tainted": outcome.tainted,
        "id": uuid7(),
        "text": outcome.text,
        "state": outcome.state if outcome.state != "refused" else "interrupted",
        "call_id": outcome.call_id,
        "details": Jsonb(outcome.details),
    }
    db.write(WENT_ON, place | kept)


async def _leave(db: AsyncSession, resumed: Resumed, because: str) -> None:
    """Free the conversation; with `because` no answer comes any more, and it is said."""
    conversation = await db.get(Conversation, resumed.conversation_id, with_for_update=True)
    event = await db.get(Message, resumed.turn_id)
    if conversation is None or event is None or event.details["went_on"]:
        return
    if conversation.answering == resumed.holder:
        conversation.answering = conversation.answering_until = None
    if because:
        event.text = f"{event.text} No answer came. {because}"
        event.details = event.details | {"went_on": True}
