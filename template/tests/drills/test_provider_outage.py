"""Drill: the model provider is gone for a while.

Expected: nobody waits for ever, each question gets a told error, and the app stays in rotation.
The provider is left alone; once it is back, questions are answered without a restart.
"""

import pytest

from tests.asking import text_of
from tests.drills.conftest import until
from tests.llm.wire_server import WORDS, Behaviour

pytestmark = pytest.mark.slow


async def test_provider_outage(start, enter, provider):
    browser = await enter(await start(LLM_BREAKER_SECONDS="1", LLM_DEADLINE_SECONDS="10"))
    conversation = await browser.new()
    assert text_of(await browser.ask(conversation, "Who are you?")) == "".join(WORDS)

    provider.behaviour = Behaviour(status=503)
    for _ in range(6):
        status, problem = await browser.refused(await browser.new(), "Who are you?")
        assert (status, bool(problem["title"])) == (503, True)
    ready = await browser.client.get("/health/ready")
    assert ready.status_code == 200
    asked = len(provider.requests)
    await browser.refused(await browser.new(), "Who are you?")
    assert len(provider.requests) - asked <= 1  # it is left alone

    provider.behaviour = Behaviour()

    async def answered() -> bool:
        async with browser.asking(await browser.new(), "Who are you?") as reader:
            if reader.response.status_code != 200:
                return False
            return text_of(await reader.whole()) == "".join(WORDS)

    await until(answered)
