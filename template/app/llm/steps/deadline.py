"""The whole answer has a deadline."""

import asyncio

from app.llm.call import Call, Events, Proceed
from app.llm.errors import ModelTooSlow
from app.llm.settings import LLMSettings


async def around(call: Call, proceed: Proceed) -> Events:
    until = asyncio.get_running_loop().time() + LLMSettings.load().deadline_seconds
    until = call.until = min(until, call.until)
    events = proceed(call)
    while True:
        try:
            # Around each wait and no yield: between two events the consumer runs, not the model.
            async with asyncio.timeout_at(until):
                event = await anext(events, None)
        except TimeoutError as error:
            raise ModelTooSlow("The model did not finish its answer in time.") from error
        if event is None:
            return
        yield event
