"""What the assistant does with a question. Your proof of concept moves in here."""

from collections.abc import AsyncGenerator, Sequence
from functools import cache
from pathlib import Path

from app.access.person import Person
from app.llm import gateway
from app.llm.draft import Draft
from app.llm.port import Ask, Delta, Done, Message
from app.llm.window import fitted


def answer(
    person: Person, history: Sequence[Message], question: str, draft: Draft
) -> AsyncGenerator[Delta | Done, None]:
    """The answer, piece by piece. No database transaction is open while it is written."""
    messages = fitted(system_prompt(), history, question)
    return gateway.answer(
        person, Ask(messages=messages, feature="assistant", with_context=True), draft
    )


@cache
def system_prompt() -> str:
    path = Path(__file__).parent / "prompts" / "system.md"
    return path.read_text(encoding="utf-8").strip()
