"""What the assistant does with a question. Your proof of concept moves in here."""

from collections.abc import AsyncGenerator, Sequence

from app.access.person import Person
from app.core.clock import now
from app.llm import gateway
from app.llm.draft import Draft
from app.llm.port import Ask, Delta, Done, Message
from app.llm.window import fitted
from app.prompts import registry


def answer(
    person: Person, history: Sequence[Message], question: str, draft: Draft
) -> AsyncGenerator[Delta | Done, None]:
    """The answer, piece by piece. No database transaction is open while it is written."""
    prompt = registry.use("assistant.system", person, today=f"{now():%A, %d %B %Y}")
    messages = fitted(prompt.text, history, question)
    return gateway.answer(
        person,
        Ask(messages=messages, feature="assistant", with_context=True, prompt=prompt.used),
        draft,
    )
