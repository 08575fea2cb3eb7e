"""What of a conversation fits the model's window."""

from collections.abc import Sequence

from app.llm.port import Message, estimated_input_tokens
from app.llm.settings import LLMSettings


def fitted(system: str, history: Sequence[Message], question: str) -> list[Message]:
    """The system prompt, as much of the newest history as fits, and the question.

    System prompt and question are never cut: if they alone are too long, the gateway refuses.
    """
    settings = LLMSettings.load()
    first, last = Message("system", system), Message("user", question)
    room = settings.context_tokens - settings.max_output_tokens
    room -= estimated_input_tokens([first, last])
    kept: list[Message] = []
    for message in reversed(history):
        room -= estimated_input_tokens([message])
        if room < 0:
            break
        kept.append(message)
    # Models expect a person's words first, and an answer without its question misleads.
    while kept and kept[-1].role != "user":
        kept.pop()
    return [first, *reversed(kept), last]
