"""A model that says nothing for too long is given up."""

import asyncio

from app.llm.call import Call, Events, Proceed
from app.llm.errors import ModelTooSlow
from app.llm.settings import LLMSettings


async def around(call: Call, proceed: Proceed) -> Events:
    events = proceed(call)
    try:
        async with asyncio.timeout(LLMSettings.load().first_token_seconds):
            first = await anext(events, None)
    except TimeoutError as error:
        raise ModelTooSlow("The model did not begin to answer in time.") from error
    if first is None:
        return
    yield first
    async for event in events:
        yield event
