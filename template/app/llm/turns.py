"""Messages as most wires want them: the system prompt apart, and turns that alternate."""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from app.llm.port import Ask, Message

INSTRUCTION = (
    "Answer with one JSON object and nothing else: no explanation, no code fence. It must be valid"
    " against this JSON Schema:\n"
)


def turns(ask: Ask) -> tuple[str, list[tuple[str, Sequence[Message]]]]:
    """The system prompt by itself, and the rest as turns of user and assistant.

    Texts that are neighbours in a turn are put together. Results of tools are the user's.
    """
    system: list[str] = []
    rest: list[tuple[str, list[Message]]] = []
    for message in ask.messages:
        if message.role == "system":
            system.append(message.content)
            continue
        role = "user" if message.role == "tool" else message.role
        if not rest or rest[-1][0] != role:
            rest.append((role, [message]))
        elif _is_text(message) and _is_text(last := rest[-1][1][-1]):
            rest[-1][1][-1] = replace(last, content=f"{last.content}\n\n{message.content}")
        else:
            rest[-1][1].append(message)
    return "\n\n".join(system), list(rest)


def _is_text(message: Message) -> bool:
    return not message.calls and message.result_of is None


def shape_in_words(ask: Ask) -> Ask:
    """For providers that cannot be held to a schema: the same question, with the schema told."""
    if ask.shape is None:
        return ask
    told = INSTRUCTION + orjson.dumps(ask.shape.schema).decode()
    messages = list(ask.messages)
    if messages and messages[0].role == "system":
        messages[0] = replace(messages[0], content=f"{messages[0].content}\n\n{told}")
    else:
        messages.insert(0, Message("system", told))
    return replace(ask, messages=messages, shape=None)
