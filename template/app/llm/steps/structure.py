"""An answer that is data is read by the guards as it will be read: its texts, without escapes."""

from typing import Any

import orjson

from app.guardrails import state
from app.guardrails.chain import AnswerScreens
from app.guardrails.stricter import Stricter
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
        own = await state.of(call.person.organization_id)
        yield Delta(_screened(call, "".join(said), own))
        yield event


def _screened(call: Call, text: str, own: Stricter) -> str:
    """What is no JSON was read as text, and is none to whoever asked for data."""
    try:
        found = orjson.loads(mended(text))
    except orjson.JSONDecodeError:
        return text
    context = AnswerContext(
        call.system_prompt, call.canary, own.words, own.phrases, own.words_action
    )
    try:
        return orjson.dumps(_cleared(context, own, found)).decode()
    except Refused as refusal:
        opinion = refusal.opinion
        call.notes["structure"] = {"guard": opinion.guard, "version": opinion.version}
        raise AnswerWithheld(
            "This answer was stopped because it held something that must not be shown."
        ) from refusal


def _cleared(context: AnswerContext, own: Stricter, found: Any) -> Any:
    if isinstance(found, str):
        return AnswerScreens(context, own).feed(found, last=True)
    if isinstance(found, list):
        return [_cleared(context, own, one) for one in found]
    if isinstance(found, dict):
        return {
            _cleared(context, own, name): _cleared(context, own, one) for name, one in found.items()
        }
    return found
