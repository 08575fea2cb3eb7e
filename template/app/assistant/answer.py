"""What the assistant does with a question. Your proof of concept moves in here."""

from collections.abc import Sequence
from contextlib import aclosing
from uuid import UUID

from app.access.person import Person
from app.assistant.memory import Memory, recalled
from app.core.clock import now
from app.llm import rounds
from app.llm.draft import Draft
from app.llm.port import Ask, Message, estimated_input_tokens
from app.llm.window import fitted
from app.prompts import registry


async def answer(
    person: Person,
    history: Sequence[Message],
    question: str,
    draft: Draft,
    *,
    conversation_id: UUID | None = None,
    turns: Sequence[UUID] = (),
    memory: Memory = Memory(),
    tainted: bool = True,
    after: Sequence[Message] = (),
) -> rounds.Events:
    """The answer, piece by piece. No database transaction is open while it is written.

    `after` stands behind the question: a tool that was approved, with what it gave.
    """
    prompt = registry.use("assistant.system", person, today=f"{now():%A, %d %B %Y}")
    beside = rounds.tokens_of_tools(person) + estimated_input_tokens(after)
    known = await recalled(
        person, conversation_id, memory, history, turns, prompt.text, question, beside
    )
    draft.marks += known.marks
    asked = fitted(prompt.text, known.history, question, memory=known.memory, beside=beside)
    ask = Ask(
        messages=[*asked, *after],
        feature="assistant",
        with_context=True,
        reusable=not after,
        prompt=prompt.used,
        tainted=tainted,
    )
    async with aclosing(rounds.answer(person, ask, draft, conversation_id=conversation_id)) as all_:
        async for event in all_:
            yield event
