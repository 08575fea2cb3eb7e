"""When it goes wrong it is told, booked as far as it came, and nothing stays reserved."""

import asyncio
from contextlib import aclosing

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.core import db
from app.core.direct import Direct
from app.llm import errors, gateway, settling
from app.llm.port import Ask, Message
from app.llm.steps import audit, degradation
from app.llm.steps.metrics import CALLS
from app.usage import service
from app.users import operators
from app.users import service as users
from tests.conftest import free_port
from tests.factories import make_user
from tests.llm.caller import KEY, Caller
from tests.llm.wire_server import WORDS, Behaviour
from tests.usage.conftest import person_of


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ({"status": 429, "headers": {"Retry-After": "9"}}, errors.ModelThrottled),
        ({"status": 401}, errors.KeyRefused),
        ({"status": 400}, errors.RequestRefused),
        ({"status": 500}, errors.ModelDown),
        ({"content_type": "text/html"}, errors.ModelMisconfigured),
    ],
)
async def test_a_call_that_the_provider_refuses_costs_nothing(
    caller, wire_server, behaviour, problem
):
    wire_server.behaviour = Behaviour(**behaviour)
    told = await caller.refused(problem)

    assert KEY not in told.detail
    entry = await caller.entry()
    assert (entry.state, entry.outcome) == ("released", "failed")
    assert (entry.input_tokens, entry.output_tokens, entry.microdollars) == (0, 0, 0)
    assert (await caller.event()).detail["problem"] == told.type.removeprefix("/problems/")
    assert await caller.reserved() == 0


@pytest.mark.parametrize(
    ("status", "problem", "setting"),
    [
        (401, errors.KeyRefused, "LLM_API_KEY"),
        (404, errors.ModelUnknown, "LLM_MODEL"),
        (402, errors.ModelQuotaSpent, "no money"),
        (400, errors.RequestRefused, "LLM_MODEL"),
        (None, errors.ModelUnreachable, "LLM_BASE_URL"),
    ],
)
async def test_which_setting_is_wrong_is_told_to_who_can_change_it_and_to_nobody_else(
    caller, wire_server, configure, status, problem, setting
):
    if status:
        wire_server.behaviour = Behaviour(status=status)
    else:
        configure(LLM_BASE_URL=f"http://127.0.0.1:{free_port()}/v1", LLM_RETRIES="0")
    async with db.transaction(elevated=True) as session:
        organization = await users.the_organization(session)
    async with db.transaction(elevated=True) as session:
        await operators.organization_id(session)

    async def told(someone: Caller) -> str:
        return (await someone.refused(problem)).detail

    runs_it = await make_user(organization.id, role="admin", password=False)
    works_there = await make_user(organization.id, password=False)
    customer = await make_user(role="admin", password=False)
    assert setting in await told(Caller(person_of(runs_it)))
    for one in (works_there, customer):
        said = await told(Caller(person_of(one)))
        assert said == (degradation.UNSET if status else degradation.UNREACHABLE)
        assert setting not in said


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        ({"cut_after": 5, "gap": 0.002}, errors.AnswerCut),
        ({"garbage_after": 5}, errors.AnswerMalformed),
        ({"error_after": 5}, errors.AnswerCut),
        ({"finish": None, "done": False}, errors.AnswerCut),
    ],
)
async def test_a_broken_answer_is_booked_as_far_as_it_came(caller, wire_server, behaviour, problem):
    wire_server.behaviour = Behaviour(**behaviour)
    await caller.refused(problem)

    entry = await caller.entry()
    assert (entry.state, entry.outcome, entry.estimated) == ("settled", "failed", True)
    assert entry.input_tokens > 0
    assert await caller.reserved() == 0


async def test_a_model_that_says_nothing_is_given_up(caller, wire_server, configure):
    configure(LLM_FIRST_TOKEN_SECONDS=0.5)
    wire_server.behaviour = Behaviour(silent=True)
    await caller.refused(errors.ModelTooSlow)

    async with asyncio.timeout(30):
        await wire_server.aborted.wait()
    entry = await caller.entry()
    # It took the question, so the question may cost.
    assert (entry.state, entry.output_tokens) == ("settled", 0)
    assert entry.input_tokens > 0
    assert await caller.reserved() == 0


async def test_an_answer_that_takes_too_long_is_ended(caller, wire_server, configure):
    configure(LLM_DEADLINE_SECONDS=2)
    wire_server.behaviour = Behaviour(words=WORDS * 100, gap=0.02)
    await caller.refused(errors.ModelTooSlow)

    async with asyncio.timeout(30):
        await wire_server.aborted.wait()
    entry = await caller.entry()
    assert 0 < entry.output_tokens < 500
    assert await caller.reserved() == 0


async def test_an_answer_without_end_is_ended(caller, wire_server, configure):
    configure(LLM_MAX_OUTPUT_TOKENS=10)
    wire_server.behaviour = Behaviour(words=("word " * 20,) * 1000)
    shown, done = await caller.ask()

    assert done.finish_reason == "length"
    assert len(shown) <= 320
    assert (await caller.entry()).estimated


async def test_who_leaves_in_the_middle_pays_for_what_came(caller, wire_server):
    wire_server.behaviour = Behaviour(words=WORDS * 100, gap=0.005)
    ask = Ask([Message("user", "Who are you?")], feature="test")
    async with aclosing(gateway.answer(caller.person, ask)) as events:
        await anext(events)

    async with asyncio.timeout(30):
        await wire_server.aborted.wait()
    entry = await caller.entry()
    assert (entry.state, entry.outcome) == ("settled", "left")
    assert 0 < entry.output_tokens < 1000
    assert await caller.reserved() == 0


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06])
async def test_a_cancelled_call_is_settled_wherever_it_was(caller, wire_server, after):
    wire_server.behaviour = Behaviour(words=WORDS * 100, gap=0.005, first_after=0.03)
    task = asyncio.create_task(caller.ask())
    await asyncio.sleep(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settling.drain()

    assert not await caller.reserved()
    assert all(one.outcome == "left" for one in await caller.entries())


async def test_a_call_cancelled_again_while_it_is_settled_is_settled(caller, wire_server):
    wire_server.behaviour = Behaviour(words=WORDS * 100, gap=0.005)
    task = asyncio.create_task(caller.ask())
    async with asyncio.timeout(30):
        while not wire_server.requests:
            await asyncio.sleep(0.005)
    for _ in range(5):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    await settling.drain()

    assert (await caller.entry()).state == "settled"
    assert await caller.reserved() == 0


async def test_calls_at_once_are_all_settled(caller, wire_server):
    wire_server.behaviour = Behaviour(gap=0.002)
    answers = await asyncio.gather(*(caller.ask() for _ in range(16)))

    assert {shown for shown, _ in answers} == {"".join(WORDS)}
    assert len(await caller.entries()) == 16
    assert await caller.reserved() == 0


@pytest.mark.asvs("16.5.3")
async def test_without_the_database_nothing_is_sent(caller, wire_server, monkeypatch):
    async def gone(*_: object) -> None:
        raise psycopg.OperationalError

    monkeypatch.setattr(service, "fetch", gone)
    problem = await caller.refused(service.BudgetsUnreachable)

    assert problem.status == 503
    assert wire_server.connections == 0


async def test_a_database_that_is_away_for_a_moment_settles_later(caller, monkeypatch):
    settle, times = service.settle, []

    async def at_the_third_time(*given: object) -> bool:
        times.append(1)
        if len(times) < 3:
            raise OperationalError("", {}, Exception())
        return await settle(*given)

    monkeypatch.setattr(service, "settle", at_the_third_time)
    monkeypatch.setattr(settling, "SECONDS_BETWEEN_TRIES", 0.01)
    _, done = await caller.ask()

    assert len(times) == 3
    assert (await caller.entry()).output_tokens == done.usage.output_tokens == 10
    assert await caller.reserved() == 0


async def test_a_lost_reply_to_the_commit_writes_nothing_twice(caller, monkeypatch):
    commit, lost = Direct.commit, []

    async def and_the_reply_is_lost(db: Direct) -> None:
        await commit(db)
        if not lost:
            lost.append(1)
            raise psycopg.OperationalError

    monkeypatch.setattr(Direct, "commit", and_the_reply_is_lost)
    monkeypatch.setattr(settling, "SECONDS_BETWEEN_TRIES", 0.01)
    labels = "test", "compatible", "m", "answered", ""
    before = CALLS.value(*labels)
    _, done = await caller.ask()

    assert lost
    assert CALLS.value(*labels) == before + 1
    assert await caller.actions() == ["model.answered"]
    assert (await caller.entry()).output_tokens == done.usage.output_tokens
    assert await caller.reserved() == 0


async def test_a_step_that_fails_at_the_end_keeps_nothing_from_being_booked(caller, monkeypatch):
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(audit, "after", broken)
    with pytest.raises(ZeroDivisionError):
        await caller.ask()

    assert (await caller.entry()).state == "settled"
    assert await caller.reserved() == 0


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 10**9, "completion_tokens": 3},
        {"prompt_tokens": 20, "completion_tokens": 10**9},
        {"prompt_tokens": "twenty", "completion_tokens": None},
    ],
)
async def test_usage_that_cannot_be_is_counted_instead(caller, wire_server, usage):
    wire_server.behaviour = Behaviour(usage=usage)
    _, done = await caller.ask()

    assert done.usage.estimated
    assert done.usage.output_tokens == 20
    assert 20 < done.usage.input_tokens < 120


async def test_what_nobody_reads_yet_is_noted(caller, wire_server):
    wire_server.behaviour = Behaviour(extra={"reasoning_content": "hm"})
    await caller.ask()

    assert (await caller.event()).detail["unread"] == ["reasoning_content"]


async def test_a_call_whose_organisation_is_deleted_meanwhile_is_told_as_that(
    caller, wire_server, caplog
):
    go_on = asyncio.Event()
    wire_server.behaviour = Behaviour(hold=go_on)
    asking = asyncio.create_task(caller.ask())
    async with asyncio.timeout(20):
        while not wire_server.requests:
            await asyncio.sleep(0.01)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("DELETE FROM organizations WHERE id = :id"),
            {"id": caller.person.organization_id},
        )
    told = len(caplog.records)
    go_on.set()
    with pytest.raises(errors.NoLongerHere):
        await asking
    events = [one.msg["event"] for one in caplog.records[told:] if isinstance(one.msg, dict)]
    assert events.count("llm.organization_gone") == 1
    assert "llm.not_settled" not in events
