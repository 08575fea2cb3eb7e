"""A model that says nothing for too long is given up."""

import asyncio

from app.llm.call import Begin, Begun, Call
from app.llm.errors import ModelTooSlow
from app.llm.settings import LLMSettings


async def opening(call: Call, begin: Begin) -> Begun:
    try:
        async with asyncio.timeout(LLMSettings.load().first_token_seconds):
            return await begin(call)
    except TimeoutError as error:
        raise ModelTooSlow("The model did not begin to answer in time.") from error
