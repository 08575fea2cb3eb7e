"""A model uses tools, and the person who asks sees which."""

import asyncio

import pytest
from pydantic import Field
from sqlalchemy import text

from app.core import db
from app.core.errors import NotFound
from app.core.outbound import OutboundFailed, OutboundRefused
from app.tools import running
from app.tools.registry import Arguments, BadTool, Use
from tests.asking import text_of
from tests.tools.conftest import asks, offered, recorded, says, told, uses


class Nothing(Arguments):
    pass


class Number(Arguments):
    number: int = Field(ge=1, le=9)


async def test_the_conversation_gets_the_name_that_the_person_asked_for(browser, model, plays):
    plays(asks(("rename_conversation", {"title": "Budget 2027"})), says("It is ", "renamed."))
    conversation = await browser.new()
    events = await browser.ask(conversation, "Call this Budget 2027.")

    assert [name for name, _ in events][:2] == ["tool", "tool"]
    assert uses(events) == [("rename_conversation", "done", "")]
    assert text_of(events) == "It is renamed."
    found = (await browser.client.get(f"/api/conversations/{conversation}")).json()
    assert found["title"] == "Budget 2027"
    kept = found["messages"][-1]["metadata"]["tools"]
    assert [(one["name"], one["state"]) for one in kept] == [("rename_conversation", "done")]
    assert "Budget 2027" not in str(kept), "arguments are no business of the stored answer"
    [event] = await recorded(browser, "tool.used")
    assert event.detail == {"tool": "rename_conversation", "stakes": "write"}
    # Each round was reserved and settled by itself, and went through all the steps.
    assert len(await recorded(browser, "model.answered")) == len(model.requests) == 2
    async with db.transaction(organization_id=browser.someone.organization_id) as session:
        states = await session.execute(text("SELECT state, outcome FROM usage_records"))
        held = await session.scalar(text("SELECT sum(reserved_tokens) FROM usage_counters"))
    assert {tuple(one) for one in states} == {("settled", "answered")}
    assert held == 0


async def test_words_before_a_tool_stay_and_go_back_to_the_model(browser, model, plays):
    plays(asks(("own_usage", {}), words=("I look.",)), says("Much is left."))
    events = await browser.ask(await browser.new(), "What is left?")

    assert text_of(events) == "I look.\n\nMuch is left."
    assert model.requests[-1].body["messages"][-2]["content"] == "I look."
    assert "budgets" in told(model)[0]
    # What only the app has written does not close the conversation to tools that write.
    assert "rename_conversation" in offered(model)


async def test_without_tools_nothing_of_it_reaches_the_wire(browser, model, configure):
    conversation = await browser.new()
    await browser.ask(conversation, "Who are you?")
    assert "tools" not in model.requests[0].body
    # Azure's models know them; those of the second provider may not.
    azure = {"LLM_PROVIDER": "azure", "LLM_API_KEY": "k"}
    configure(**azure, LLM_FALLBACK_PROVIDER="vllm")
    await browser.ask(conversation, "Who are you?")
    assert "tools" not in model.requests[1].body
    configure(LLM_FALLBACK_PROVIDER="")
    await browser.ask(conversation, "Who are you?")
    assert "own_usage" in offered(model)
    configure(TOOLS_OFFERED="false")
    await browser.ask(conversation, "Who are you?")
    assert "tools" not in model.requests[3].body


async def test_tools_that_read_run_at_once_and_those_that_write_one_by_one(browser, plays, tool):
    running, most = 0, {"read": 0, "write": 0}

    async def work(stakes: str) -> str:
        nonlocal running
        running += 1
        most[stakes] = max(most[stakes], running)
        async with asyncio.timeout(30):
            while stakes == "read" and most["read"] < 3:
                await asyncio.sleep(0)
        running -= 1
        return "ok"

    @tool(title="Read", permission="assistant.use", stakes="read", taints=False)
    async def read_one(use: Use, arguments: Nothing) -> str:
        """Read."""
        return await work("read")

    @tool(title="Write", permission="assistant.use", stakes="write")
    async def write_one(use: Use, arguments: Nothing) -> str:
        """Write."""
        return await work("write")

    plays(asks(*[("read_one", {})] * 3, *[("write_one", {})] * 2), says("Done."))
    events = await browser.ask(await browser.new(), "Go.")

    assert [state for _, state, _ in uses(events)] == ["done"] * 5
    assert most == {"read": 3, "write": 1}


async def test_wrong_arguments_are_told_once_and_then_the_tool_is_closed(
    browser, model, plays, tool
):
    ran = []

    @tool(title="Count", permission="assistant.use", stakes="read")
    async def count_up(use: Use, arguments: Number) -> str:
        """Count."""
        ran.append(arguments.number)
        return "counted"

    wrong = [{"number": "three"}, {"number": 99, "more": "secret-4711"}, "{not json", {"number": 3}]
    plays(asks(("count_up", wrong[0])), asks(("count_up", wrong[3])), says("Well."))
    events = await browser.ask(await browser.new(), "Count.")
    assert uses(events) == [("count_up", "invalid", "arguments"), ("count_up", "done", "")]
    assert told(model)[0].startswith("[invalid: arguments] The arguments are wrong. number: ")

    plays(*(asks(("count_up", one)) for one in wrong[1:]), says("Sorry."))
    events = await browser.ask(await browser.new(), "Count.")
    assert uses(events) == [
        ("count_up", "invalid", "arguments"),
        ("count_up", "invalid", "arguments"),
        ("count_up", "refused", "arguments"),
    ]
    assert "secret-4711" not in "".join(told(model))
    assert ran == [3]


async def test_a_tool_nobody_has_is_refused_and_not_repeated(browser, model, plays):
    plays(asks(("drop table; users", {}), ("unheard_of", {})), says("No."))
    events = await browser.ask(await browser.new(), "Do it.")

    assert uses(events) == [("", "refused", "unknown_tool")] * 2
    assert "drop" not in str(model.requests[-1].body["messages"])


async def test_what_hangs_fails_or_says_far_too_much_leaves_the_answer_whole(
    browser, model, plays, tool, configure
):
    configure(TOOLS_RESULT_CHARACTERS=1000)

    @tool(title="Hang", permission="assistant.use", stakes="read", seconds=0.05)
    async def hang_on(db, use: Use, arguments: Nothing) -> str:
        """Hang."""
        await db.execute(text("SELECT pg_sleep(30)"))

    @tool(title="Break", permission="assistant.use", stakes="read")
    async def break_down(db, use: Use, arguments: Nothing) -> str:
        """Break."""
        raise RuntimeError("password=hunter2")

    @tool(title="Miss", permission="assistant.use", stakes="read")
    async def miss_it(db, use: Use, arguments: Nothing) -> str:
        """Miss."""
        raise NotFound("There is no such thing.")

    @tool(title="Flood", permission="assistant.use", stakes="read")
    async def flood_it(use: Use, arguments: Nothing) -> str:
        """Flood."""
        return "x" * 10_000_000

    names = ["hang_on", "break_down", "miss_it", "flood_it"]
    plays(asks(*((name, {}) for name in names)), says("Some of it failed."))
    events = await browser.ask(await browser.new(), "Go.")

    assert [(state, reason) for _, state, reason in uses(events)] == [
        ("failed", "too_slow"),
        ("failed", "failed"),
        ("failed", "not-found"),
        ("done", ""),
    ]
    assert text_of(events) == "Some of it failed."
    results = told(model)
    assert "hunter2" not in str(results)
    assert results[:3] == [
        "[failed: too_slow] It took too long and was stopped.",
        "[failed: failed] It failed. What it would have changed is not changed.",
        "[failed: not-found] There is no such thing.",
    ]
    assert len(results[3]) < 1100


async def test_after_a_failure_it_may_be_asked_otherwise_three_times(browser, model, plays, tool):
    tried = []

    @tool(title="Ask", permission="assistant.use", stakes="read", taints=False)
    async def ask_outside(use: Use, arguments: Number) -> str:
        """Ask."""
        tried.append(arguments.number)
        if arguments.number == 1:
            raise OutboundFailed("ClientConnectorError at 10.0.0.7")
        if arguments.number == 2:
            raise OutboundRefused("10.0.0.7 is not among the servers")
        if arguments.number == 3:
            raise NotFound("There is no third.")
        return "found"

    numbers = ({"number": one} for one in (1, 2, 4, 3, 4))
    plays(*(asks(("ask_outside", one)) for one in numbers), says("So be it."))
    events = await browser.ask(await browser.new(), "Ask.")
    assert [(state, reason) for _, state, reason in uses(events)] == [
        ("failed", "no_answer"),
        ("failed", "not_called"),
        ("done", ""),
        ("failed", "not-found"),
        ("refused", "failed_often"),
    ]
    assert tried == [1, 2, 4, 3]
    assert told(model) == [
        "[failed: no_answer] The server that it needs gave no usable answer.",
        f"[failed: not_called] {running.TOLD['not_called']}",
        "found",
        "[failed: not-found] There is no third.",
        f"[refused: failed_often] {running.TOLD['failed_often']}",
    ]


async def test_what_fails_has_changed_nothing(browser, plays, tool):
    @tool(title="Half", permission="assistant.use", stakes="write")
    async def half_done(db, use: Use, arguments: Nothing) -> str:
        """Half."""
        await db.execute(text("UPDATE conversations SET title = 'half'"))
        raise RuntimeError

    plays(asks(("half_done", {})), says("It failed."))
    conversation = await browser.new()
    events = await browser.ask(conversation, "Go.")

    assert uses(events) == [("half_done", "failed", "failed")]
    found = (await browser.client.get(f"/api/conversations/{conversation}")).json()
    assert found["title"] == "Go."


async def test_rounds_and_calls_have_an_end(browser, model, plays, configure):
    configure(TOOLS_ROUNDS=2, TOOLS_CALLS=3)
    plays(asks(("own_usage", {}), ("own_usage", {})))
    conversation = await browser.new()
    events = await browser.ask(conversation, "Again and again.")

    assert [state for _, state, _ in uses(events)] == ["done"] * 3 + ["refused"]
    assert events[-1][0] == "error"
    assert events[-1][1]["type"] == "/problems/tools-without-end"
    assert len(model.requests) == 3
    assert model.requests[-1].body["tool_choice"] == "none"
    # What was used is told, and the question can be asked again.
    [_, answer] = await browser.messages(conversation)
    assert answer["state"] == "interrupted"
    assert len(answer["metadata"]["tools"]) == 4
    # Providers refuse whole conversations for one message without a word.
    plays(says("Yes."))
    await browser.ask(conversation, "Are you there?")
    assert [one["content"] for one in model.requests[-1].body["messages"]][-3:] == [
        "Again and again.",
        "[The app: this answer broke off before its first word.]",
        "Are you there?",
    ]


async def test_one_deadline_covers_all_rounds_and_tools(browser, model, plays, tool, configure):
    configure(LLM_DEADLINE_SECONDS=2)

    @tool(title="Wait", permission="assistant.use", stakes="read")
    async def wait_long(use: Use, arguments: Nothing) -> str:
        """Wait."""
        await asyncio.Event().wait()

    plays(asks(("wait_long", {})), says("Never."))
    events = await browser.ask(await browser.new(), "Wait.")

    assert events[-1][1]["type"] == "/problems/model-too-slow"
    assert len(model.requests) == 1


async def test_a_budget_that_ends_between_two_rounds_ends_the_answer(
    browser, model, plays, tool, configure
):
    @tool(title="Spend", permission="assistant.use", stakes="read")
    async def spend_all(use: Use, arguments: Nothing) -> str:
        """Spend."""
        configure(USAGE_PERSON_TOKENS_PER_HOUR=1)
        return "spent"

    plays(asks(("spend_all", {})), says("Never said."))
    conversation = await browser.new()
    events = await browser.ask(conversation, "Go.")

    assert events[-1][1]["type"] == "/problems/tokens-spent"
    assert len(model.requests) == 1, "no byte of the second round went out"
    [_, answer] = await browser.messages(conversation)
    assert [one["state"] for one in answer["metadata"]["tools"]] == ["done"]


async def test_personal_data_reaches_the_tool_and_never_the_model(browser, model, plays, tool):
    got = []

    class Address(Arguments):
        email: str

    @tool(title="Look up", permission="assistant.use", stakes="read", taints=False)
    async def look_up(use: Use, arguments: Address) -> str:
        """Look up."""
        got.append(arguments.email)
        return f"{arguments.email} is known."

    plays(asks(("look_up", {"email": "[EMAIL_1]"})), says("[EMAIL_1] is known."))
    events = await browser.ask(await browser.new(), "Is ada@example.org known?")

    assert got == ["ada@example.org"]
    assert "ada@example.org" not in "".join(one.raw.decode() for one in model.requests)
    assert text_of(events) == "ada@example.org is known."


async def test_on_a_laptop_tools_are_tried_by_their_names(browser, configure):
    configure(LLM_PROVIDER="stand_in")
    conversation = await browser.new()
    events = await browser.ask(conversation, '/rename_conversation {"title": "Tried"}')

    assert uses(events) == [("rename_conversation", "done", "")]
    assert events[-1][1]["stand_in"] is True
    assert "> The conversation has its new title." in text_of(events)


def test_tools_that_cannot_be_offered_are_told_at_once(tool):
    with pytest.raises(BadTool):

        @tool(title="Bad", permission="assistant.use", stakes="read")
        async def no_docstring(use: Use, arguments: Nothing) -> str:
            return ""

    with pytest.raises(BadTool):

        @tool(title="Bad", permission="assistant.use", stakes="read")
        async def takes_what_it_likes(use: Use, number: int) -> str:
            """Nobody can say what it takes."""


async def test_who_leaves_while_a_tool_writes_leaves_nothing_half_done(live_browser, plays, tool):
    begun, ended = asyncio.Event(), asyncio.Event()

    @tool(title="Slow", permission="assistant.use", stakes="write")
    async def write_slowly(db, use: Use, arguments: Nothing) -> str:
        """Write."""
        await db.execute(text("UPDATE conversations SET title = 'half'"))
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    plays(asks(("write_slowly", {})), says("Done."))
    conversation = await live_browser.new()
    async with asyncio.timeout(30):
        async with live_browser.asking(conversation, "Go."):
            await begun.wait()
        await ended.wait()
        while len(said := await live_browser.messages(conversation)) < 2:
            await asyncio.sleep(0.01)
    assert said[1]["state"] == "interrupted"
    found = (await live_browser.client.get(f"/api/conversations/{conversation}")).json()
    assert found["title"] == "Go."
