"""What was said, whole, and how far it can be trusted as far as that shows."""

from app.llm.call import Call, Events, Proceed
from app.llm.confidence import measured
from app.llm.port import Delta


async def around(call: Call, proceed: Proceed) -> Events:
    async for event in proceed(call):
        if isinstance(event, Delta):
            call.said.append(event.text)
        elif not event.calls and not call.ask.shape:
            score, signals = measured("".join(call.said), event, call.ask.passages)
            call.notes["confidence"] = {"score": score, "signals": signals}
        yield event
