"""What an answer depends on, as digests: whoever gets one of them again would get the same answer.

The messages are in it as the model gets them, with the passages of documents that this very person
may read. Who may read others has another key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from app.llm.call import Call
from app.llm.port import Message, PromptUsed

# Variables of prompts that are another one each day.
PASSING = {"today"}


@dataclass(frozen=True, slots=True)
class Keys:
    exact: bytes
    """All of it, word for word."""
    loose: bytes
    """With the version of a registered prompt in place of its text, which holds the date."""
    scope: bytes | None
    """All but the words of the question; None where earlier turns say what it means."""


def of(call: Call) -> Keys:
    ask = call.ask
    around = _around(call)
    spoken = [one for one in ask.messages if one.role != "system"]
    is_first = not any(one.role == "assistant" for one in spoken)
    system: Any = call.system_prompt
    loose: Any = _loose(ask.prompt) if ask.prompt else system
    return Keys(
        exact=_digest("exact", around, system, _said(spoken)),
        loose=_digest("loose", around, loose, _said(spoken)),
        scope=_digest("scope", around, system, _said(spoken[:-1])) if is_first else None,
    )


def _loose(prompt: PromptUsed) -> list[Any]:
    """What else is put into a prompt may be of this very person."""
    values = {name: value for name, value in prompt.values.items() if name not in PASSING}
    return [prompt.name, prompt.version, values]


def _around(call: Call) -> dict[str, Any]:
    person, ask, provider = call.person, call.ask, call.routed
    return {
        "organization": str(person.organization_id),
        "rights": sorted(person.permissions),
        "feature": ask.feature,
        "prompt": [ask.prompt.name, ask.prompt.version] if ask.prompt else None,
        "model": [provider.name, provider.model, str(getattr(provider, "address", ""))],
        "longest": ask.max_output_tokens,
        "temperature": ask.temperature,
        "options": dict(ask.options),
        "shape": [ask.shape.name, ask.shape.schema] if ask.shape else None,
        "tools": [[one.name, one.description, one.schema] for one in ask.tools],
    }


def _said(messages: Sequence[Message]) -> list[list[str]]:
    return [[one.role, one.content] for one in messages]


def _digest(*told: Any) -> bytes:
    return blake2b(
        orjson.dumps(told, default=str, option=orjson.OPT_SORT_KEYS), digest_size=32
    ).digest()
