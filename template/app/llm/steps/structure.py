"""An answer that is data is read by the guards as it will be read: its texts, without escapes."""

from typing import Any

import orjson

from app.guardrails.chain import AnswerScreens
from app.guardrails.verdicts import AnswerContext, Refused
from app.llm.call import Call, Events, Proceed
from app.llm.errors import AnswerWithheld
from app.llm.near_json import mended
from app.llm.port import Delta


def around(call: Call, proceed: Proceed) -> Events:
    return _read(call, proceed) if call.ask.shape else proceed(call)


async def _read(call: Call, proceed: Proceed) -> Events:
    said: list[str] = []
    async for event in proceed(call):
        if isinstance(event, Delta):
            said.append(event.text)
            continue
        yield Delta(_screened(call, "".join(said)))
        yield event


def _screened(call: Call, text: str) -> str:
    """What is no JSON was read as text, and is none to whoever asked for data."""
    try:
        found = orjson.loads(mended(text))
    except orjson.JSONDecodeError:
        return text
    context = AnswerContext(call.system_prompt, call.canary)
    try:
        return orjson.dumps(_cleared(context, found)).decode()
    except Refused as refusal:
        opinion = refusal.opinion
        call.notes["structure"] = {"guard": opinion.guard, "version": opinion.version}
        raise AnswerWithheld(
            "This answer was stopped because it held something that must not be shown."
        ) from refusal


def _cleared(context: AnswerContext, found: Any) -> Any:
    if isinstance(found, str):
        return AnswerScreens(context).feed(found, last=True)
    if isinstance(found, list):
        return [_cleared(context, one) for one in found]
    if isinstance(found, dict):
        return {_cleared(context, name): _cleared(context, one) for name, one in found.items()}
    return found
