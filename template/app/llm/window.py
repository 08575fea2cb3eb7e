"""What of a conversation fits the model's window."""

from collections.abc import Sequence

from app.llm.port import Message, estimated_input_tokens
from app.llm.settings import LLMSettings

RECALL = "Sum up what we said before."


def fitted(
    system: str,
    history: Sequence[Message],
    question: str,
    *,
    memory: str = "",
    beside: int = 0,
    share: float = 1.0,
) -> list[Message]:
    """The system prompt, a summary of what is older, the newest history that fits, the question.

    System prompt and question are never cut: if they alone are too long, the gateway refuses.
    `beside` are tokens of what comes along, such as tools; the history gets a `share` of the rest.
    """
    recalled = _recalled(memory)
    first, last = Message("system", system), Message("user", question)
    kept = newest(history, share * _room(system, question, recalled, beside))
    return [first, *recalled, *kept, last]


def newest(history: Sequence[Message], room: float) -> list[Message]:
    """The newest messages that fit, oldest first."""
    kept: list[Message] = []
    for message in reversed(history):
        room -= estimated_input_tokens([message])
        if room < 0:
            break
        kept.append(message)
    # Models expect a person's words first, and an answer without its question misleads.
    while kept and kept[-1].role != "user":
        kept.pop()
    return [*reversed(kept)]


def left_out(
    system: str,
    history: Sequence[Message],
    question: str,
    *,
    memory: str = "",
    beside: int = 0,
    share: float = 1.0,
) -> Sequence[Message]:
    """What of the history does not fit, oldest first."""
    kept = newest(history, share * _room(system, question, _recalled(memory), beside))
    return history[: len(history) - len(kept)]


def _room(system: str, question: str, recalled: Sequence[Message], beside: int) -> int:
    settings = LLMSettings.load()
    around = [Message("system", system), *recalled, Message("user", question)]
    taken = estimated_input_tokens(around) + beside + settings.max_output_tokens
    return settings.context_tokens - taken


def _recalled(memory: str) -> list[Message]:
    """As an answer of before: a summary is material, and never an instruction."""
    return [Message("user", RECALL), Message("assistant", memory)] if memory else []
