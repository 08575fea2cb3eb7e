"""What was masked in the question comes back in the answer, behind the guards that read it."""

import re
from dataclasses import replace

import orjson

from app.llm.call import Call, Events, Proceed
from app.llm.port import Delta, ToolCall

PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")
UNFINISHED = re.compile(r"\[(?:[A-Z]{0,12}|[A-Z]{1,12}_\d{0,6})$")


def around(call: Call, proceed: Proceed) -> Events:
    # Most questions hold nothing of the kind, and their answers pass as they are.
    return _restored(call, proceed) if call.masked else proceed(call)


async def _restored(call: Call, proceed: Proceed) -> Events:
    waiting, said = "", _in_json(call) if call.ask.shape else call.masked
    async for event in proceed(call):
        text = waiting + event.text if isinstance(event, Delta) else waiting
        waiting = ""
        if isinstance(event, Delta) and (unfinished := UNFINISHED.search(text)):
            text, waiting = text[: unfinished.start()], text[unfinished.start() :]
        if text:
            yield Delta(PLACEHOLDER.sub(lambda found: said.get(found[0], found[0]), text))
        if not isinstance(event, Delta):
            yield replace(event, calls=_calls(call, event.calls)) if event.calls else event


def restored_text(call: Call, text: str) -> str:
    return PLACEHOLDER.sub(lambda found: call.masked.get(found[0], found[0]), text)


def _calls(call: Call, calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    """Tools work with what the person wrote, inside of JSON."""
    said = _in_json(call)

    def restored(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: said.get(found[0], found[0]), text)

    return tuple(replace(one, arguments=restored(one.arguments)) for one in calls)


def _in_json(call: Call) -> dict[str, str]:
    return {name: orjson.dumps(one).decode()[1:-1] for name, one in call.masked.items()}
