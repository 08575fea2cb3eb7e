"""What a conversation said before its messages fit the window no more, as a summary.

It is made in the turn that needs it, by calls of their own through the gateway: reserved, guarded,
settled, with a switch of their own. Nothing is left out without being told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from app.access.person import Person
from app.assistant.settings import AssistantSettings
from app.core.direct import direct
from app.core.errors import Problem
from app.core.logging import log
from app.llm import gateway
from app.llm.port import Ask, Message, estimated_tokens
from app.llm.settings import LLMSettings
from app.llm.window import left_out
from app.prompts import registry

FEATURE = "assistant.memory"
PROMPT = "assistant.memory"
SUMMARISED = "Older messages are summarised"
LEFT_OUT = "Older messages were left out"
# How much of the room the history keeps when some of it goes: the next turns fit without a summary.
KEPT_SHARE = 0.5
MOST_MESSAGES = 300
TOKENS_AROUND = 64
WHO = {"user": "Person", "assistant": "Assistant"}
REMEMBER: LiteralString = (
    "UPDATE conversations SET memory = %(memory)s, memory_until = %(until)s WHERE id = %(id)s"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """A summary, and the last turn that is in it."""

    text: str = ""
    until: UUID | None = None


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a question is asked with, and what to tell the person about it."""

    memory: str
    history: Sequence[Message]
    marks: Sequence[str]


async def recalled(
    person: Person,
    conversation_id: UUID | None,
    memory: Memory,
    history: Sequence[Message],
    turns: Sequence[UUID],
    system: str,
    question: str,
    beside: int,
) -> Recalled:
    """The history that fits, and a summary of what does not. `turns` has each message's turn."""
    told = [SUMMARISED] if memory.text else []
    over = left_out(system, history, question, memory=memory.text, beside=beside)
    if not over and len(history) < MOST_MESSAGES:
        return Recalled(memory.text, history, told)
    # The summary may grow to its full length; and room is made for the turns to come.
    longest = "x" * (AssistantSettings.load().memory_tokens * 3)
    over = left_out(system, history, question, memory=longest, beside=beside, share=KEPT_SHARE)
    if len(history) >= MOST_MESSAGES:  # Before the database reads no more of them.
        over = max(over, history[: MOST_MESSAGES // 2], key=len)
    made, count = await _summarised(person, memory.text, over)
    if not count:
        return Recalled(memory.text, history, [*told, LEFT_OUT])
    if conversation_id is not None:
        await _remember(person, conversation_id, Memory(made, turns[count - 1]))
    rest = history[count:]
    marks = [SUMMARISED] if count == len(over) else [SUMMARISED, LEFT_OUT]
    return Recalled(made, rest, marks)


async def _summarised(person: Person, before: str, over: Sequence[Message]) -> tuple[str, int]:
    """The new memory and how many messages are in it; none where no model made one."""
    memory, count = before, 0
    for _ in range(AssistantSettings.load().memory_calls):
        some = _some(memory, over[count:])
        if not some:
            break
        try:
            memory = await _ask(person, memory, some) or memory
        except Problem as problem:
            # The person gets an answer all the same, and is told what it does not know.
            log.warning("assistant.not_summarised", problem=problem.type)
            break
        count += len(some)
    return memory, count


def _some(memory: str, messages: Sequence[Message]) -> list[Message]:
    """As many whole turns as one call takes, at least one."""
    settings = LLMSettings.load()
    room = settings.context_tokens - AssistantSettings.load().memory_tokens
    room -= estimated_tokens(registry.live(PROMPT).text + memory) + TOKENS_AROUND
    most = min(room * 3, settings.max_input_characters) - len(memory) - 3 * TOKENS_AROUND
    some: list[Message] = []
    for message in messages:
        most -= len(_line(message).encode()) + 2
        if most < 0:
            break
        some.append(message)
    while some and some[-1].role != "assistant":
        some.pop()
    return some


async def _ask(person: Person, memory: str, messages: Sequence[Message]) -> str:
    prompt = registry.use(PROMPT, person)
    told = "\n\n".join(_line(one) for one in messages)
    if memory:
        told = f"Memory so far:\n{memory}\n\nMessages after it:\n{told}"
    ask = Ask(
        messages=[Message("system", prompt.text), Message("user", told)],
        feature=FEATURE,
        max_output_tokens=AssistantSettings.load().memory_tokens,
        prompt=prompt.used,
        tainted=True,
        read_by_people=False,
    )
    return (await gateway.complete(person, ask)).text.strip()


def _line(message: Message) -> str:
    return f"{WHO.get(message.role, message.role)}: {message.content}"


async def _remember(person: Person, conversation_id: UUID, memory: Memory) -> None:
    whose = {"organization_id": person.organization_id, "user_id": person.user_id}
    async with direct(**whose) as db:
        kept = {"id": conversation_id, "memory": memory.text, "until": memory.until}
        db.write(REMEMBER, kept)
