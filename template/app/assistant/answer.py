"""What the assistant does with a question. Your proof of concept moves in here."""

from collections.abc import Sequence
from uuid import UUID

from app.access.person import Person
from app.core.clock import now
from app.llm import rounds
from app.llm.draft import Draft
from app.llm.port import Ask, Message
from app.llm.window import fitted
from app.prompts import registry


def answer(
    person: Person,
    history: Sequence[Message],
    question: str,
    draft: Draft,
    *,
    conversation_id: UUID | None = None,
    tainted: bool = True,
) -> rounds.Events:
    """The answer, piece by piece. No database transaction is open while it is written."""
    prompt = registry.use("assistant.system", person, today=f"{now():%A, %d %B %Y}")
    ask = Ask(
        messages=fitted(prompt.text, history, question),
        feature="assistant",
        with_context=True,
        prompt=prompt.used,
        tainted=tainted,
    )
    return rounds.answer(person, ask, draft, conversation_id=conversation_id)
