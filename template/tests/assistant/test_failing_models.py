"""What people see when the model provider fails: the second one, a queue, or a reason."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from time import perf_counter

import httpx2
import pytest

from app.access.forgery import SESSION_COOKIE
from app.llm import circuit
from tests.asking import Browser, text_of
from tests.factories import make_user, sign_in
from tests.llm.wire_server import WORDS, Behaviour, running

GONE = "http://127.0.0.1:9/v1"


@pytest.fixture
def browser(live_browser: Browser) -> Browser:
    return live_browser


@pytest.fixture
async def second(model, configure):
    """A provider that is asked when the first does not answer."""
    async with running() as server:
        configure(
            LLM_FALLBACK_PROVIDER="vllm",
            LLM_FALLBACK_BASE_URL=server.url,
            LLM_FALLBACK_MODEL="spare-1",
        )
        yield server


async def refused(browser: Browser, conversation: str, text: str = "Well?"):
    address = f"/api/conversations/{conversation}/messages"
    return await browser.client.post(address, json={"text": text})


async def test_the_second_provider_answers_in_time_and_it_is_marked(
    browser, model, second, configure
):
    configure(LLM_BASE_URL=GONE, LLM_DEADLINE_SECONDS=20)
    conversation = await browser.new()
    began = perf_counter()
    events = await browser.ask(conversation, "Who are you?")

    assert perf_counter() - began < 10
    assert text_of(events) == "".join(WORDS)
    _, done = events[-1]
    assert (done["provider"], done["model"], done["fallback"]) == ("vllm", "spare-1", True)
    _, answer = await browser.messages(conversation)
    assert answer["metadata"]["fallback"] is True
    assert answer["metadata"]["provider"] == "vllm"


async def test_while_the_first_one_answers_the_second_hears_nothing(browser, model, second):
    events = await browser.ask(await browser.new(), "Who are you?")

    assert events[-1][1]["fallback"] is False
    assert second.requests == []


async def test_nobody_there_is_said_with_what_to_do(browser, model, configure):
    configure(LLM_BASE_URL=GONE, LLM_RETRIES=0)
    conversation = await browser.new()
    answer = await refused(browser, conversation)

    assert answer.status_code == 503
    problem = answer.json()
    assert problem["type"] == "/problems/model-unreachable"
    assert problem["degraded"] == "no_answer"
    assert answer.headers["Retry-After"] in problem["what_to_do"]
    [question] = await browser.messages(conversation)
    assert question["text"] == "Well?"


@pytest.mark.dear
async def test_who_keeps_failing_is_left_alone_and_asked_again_later(browser, model, configure):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=3, LLM_BREAKER_SECONDS=5)
    model.behaviour = Behaviour(status=500)
    conversation = await browser.new()
    for _ in range(3):
        assert (await refused(browser, conversation)).json()["type"] == "/problems/model-down"
    told = await refused(browser, conversation)

    assert told.status_code == 503
    assert told.json()["type"] == "/problems/model-resting"
    assert int(told.headers["Retry-After"]) <= 5
    assert len(model.requests) == 3

    model.behaviour = Behaviour()
    await circuit.settled()
    await asyncio.sleep(5.1)
    for _ in range(2):
        assert text_of(await browser.ask(conversation, "Now?")) == "".join(WORDS)


@pytest.fixture
async def crowd(live_server: str) -> AsyncIterator[list[Browser]]:
    """Twenty people who are signed in."""
    async with AsyncExitStack() as stack:
        people = []
        for _ in range(20):
            client = httpx2.AsyncClient(base_url=live_server, timeout=30, verify=False)
            await stack.enter_async_context(client)
            someone = await make_user(password=False)
            await sign_in(client, someone)
            client.headers["Cookie"] = f"{SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}"
            client.cookies.clear()
            people.append(Browser(client, someone))
        yield people


@pytest.mark.dear
async def test_twenty_at_once_are_answered_or_told_when_to_come_again(crowd, model, configure):
    configure(LLM_CALLS_AT_ONCE=4, LLM_QUEUE_LENGTH=8, LLM_QUEUE_SECONDS=30)
    all_are_here = asyncio.Event()
    model.behaviour = Behaviour(hold=all_are_here)
    conversations = [await one.new() for one in crowd]
    asked = zip(crowd, conversations, strict=True)
    asking = [asyncio.create_task(refused(*one)) for one in asked]
    async with asyncio.timeout(60):
        while sum(one.done() for one in asking) < 8:
            await asyncio.sleep(0.02)
    all_are_here.set()
    answers = await asyncio.gather(*asking)

    assert sorted(one.status_code for one in answers) == [200] * 12 + [503] * 8
    assert model.most_at_once == 4
    for one in answers:
        if one.status_code == 503:
            assert one.json()["type"] == "/problems/model-busy"
            assert int(one.headers["Retry-After"]) >= 1
        else:
            assert "event: done" in one.text
