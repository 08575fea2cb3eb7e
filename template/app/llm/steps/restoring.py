"""What was masked in the question comes back in the answer, behind the guards that read it."""

import re

from app.llm.call import Call, Events, Proceed
from app.llm.port import Delta

PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")
UNFINISHED = re.compile(r"\[(?:[A-Z]{0,12}|[A-Z]{1,12}_\d{0,6})$")


def around(call: Call, proceed: Proceed) -> Events:
    # Most questions hold nothing of the kind, and their answers pass as they are.
    return _restored(call, proceed) if call.masked else proceed(call)


async def _restored(call: Call, proceed: Proceed) -> Events:
    waiting = ""
    async for event in proceed(call):
        text = waiting + event.text if isinstance(event, Delta) else waiting
        waiting = ""
        if isinstance(event, Delta) and (unfinished := UNFINISHED.search(text)):
            text, waiting = text[: unfinished.start()], text[unfinished.start() :]
        if text:
            yield Delta(PLACEHOLDER.sub(lambda found: call.masked.get(found[0], found[0]), text))
        if not isinstance(event, Delta):
            yield event
