"""Who gets an earlier answer, who does not, and what it costs."""

import asyncio
from secrets import token_hex

import pytest
from sqlalchemy import func, select, text, update

from app.cache import checking, service
from app.cache.models import CachedAnswer
from app.core import db
from app.core.direct import direct
from app.core.ids import uuid7
from app.flags import service as flags
from app.flags import state
from app.usage.models import UsageRecord
from tests.asking import text_of
from tests.cache.conftest import ask, days, kept
from tests.factories import make_role, make_user
from tests.llm.wire_server import WORDS, Behaviour


async def test_a_colleagues_same_question_is_answered_without_the_model_and_costs_nothing(
    team, model
):
    one, other, _ = team
    question = f"What is {token_hex(4)}?"
    first = await ask(one, question)
    conversation = await other.new()
    again = await other.ask(conversation, question)

    assert text_of(again) == text_of(first) == "".join(WORDS)
    assert len(model.requests) == 1
    assert first[-1][1]["marks"] == []
    assert again[-1][1]["marks"] == ["The same question was answered a moment ago"]
    assert again[-1][1]["call_id"] != first[-1][1]["call_id"]
    _, answer = await other.messages(conversation)
    assert answer["metadata"]["marks"] == again[-1][1]["marks"]
    async with db.transaction(organization_id=one.someone.organization_id) as session:
        paid, free = await session.scalars(select(UsageRecord).order_by(UsageRecord.created_at))
        held = await session.scalar(
            text("SELECT sum(reserved_tokens + reserved_microdollars) FROM usage_counters")
        )
    assert paid.outcome == "answered"
    assert paid.microdollars > 0
    assert (free.outcome, free.state) == ("reused", "released")
    assert (free.microdollars, free.output_tokens, held) == (0, 0, 0)
    day = await days(one.someone.organization_id)
    assert (day.missed, day.exact, day.microdollars) == (1, 1, paid.microdollars)
    assert day.tokens == paid.input_tokens + paid.output_tokens


async def test_another_organisation_never_gets_it(team, browser_of, model):
    one, *_ = team
    stranger = await browser_of(await make_user(password=False))
    question = f"What is {token_hex(4)}?"
    await ask(one, question)
    model.behaviour = Behaviour(words=("something ", "else"))
    answer = await ask(stranger, question)

    assert text_of(answer) == "something else"
    assert answer[-1][1]["marks"] == []
    mine = await kept(one.someone.organization_id)
    theirs = await kept(stranger.someone.organization_id)
    assert [len(mine), len(theirs)] == [1, 1]
    assert mine[0].key != theirs[0].key
    # Nor is it found with the other organisation's key: row security holds inside the function.
    find = "SELECT entry FROM cache_find(%(o)s, %(key)s, false, 0)"
    async with direct() as session:
        wanted = {"o": stranger.someone.organization_id, "key": mine[0].key}
        assert await session.fetch(find, wanted) == [(None,)]


async def test_who_may_do_other_things_is_answered_anew(team, browser_of, model):
    one, _, admin = team
    question = f"What is {token_hex(4)}?"
    await ask(one, question)
    await ask(admin, question)
    rights = ["assistant.use", "llm.call", "usage.read_own"]
    role = await make_role(one.someone.organization_id, rights)
    fewer = await make_user(one.someone.organization_id, role=role, password=False)
    await ask(await browser_of(fewer), question)

    assert len(model.requests) == 3


async def test_only_the_very_same_conversation_has_the_same_answer(team, model):
    one, other, _ = team
    question, then = f"What is {token_hex(4)}?", "And why?"
    for browser, first in ((one, question), (other, f"Once more: {question}")):
        conversation = await browser.new()
        await browser.ask(conversation, first)
        await browser.ask(conversation, then)
    assert len(model.requests) == 4

    conversation = await other.new()
    await other.ask(conversation, question)
    last = await other.ask(conversation, then)
    assert len(model.requests) == 4
    assert last[-1][1]["marks"]


async def test_what_is_personal_is_never_kept(team, model):
    one, other, _ = team
    question = f"Write to ada.{token_hex(4)}@example.com that the invoice is paid."
    await ask(one, question)
    answer = await ask(other, question)

    assert len(model.requests) == 2
    assert answer[-1][1]["marks"] == []
    assert await kept(one.someone.organization_id) == []


async def test_a_question_with_tools_is_never_answered_from_it(team, model, configure):
    configure(TOOLS_OFFERED="true")
    one, other, _ = team
    question = f"What is {token_hex(4)}?"
    await ask(one, question)
    await ask(other, question)

    assert len(model.requests) == 2
    assert await kept(one.someone.organization_id) == []


async def test_answers_that_broke_off_or_were_cleaned_are_not_kept(team, model):
    one, *_ = team
    model.behaviour = Behaviour(finish="length")
    await ask(one, f"What is {token_hex(4)}?")
    model.behaviour = Behaviour(words=("Ask ", "bob@example.org ", "about it."))
    await ask(one, f"What is {token_hex(4)}?")
    model.behaviour = Behaviour(cut_after=3, gap=0.01)
    await ask(one, f"What is {token_hex(4)}?")
    assert await kept(one.someone.organization_id) == []


async def test_switched_off_nothing_is_looked_up_and_nothing_stays(team, model, configure):
    one, other, admin = team
    question = f"What is {token_hex(4)}?"
    await ask(one, question)
    assert len(await kept(one.someone.organization_id)) == 1

    async with db.transaction() as session:
        await flags.set_flag(
            session,
            "model.cache",
            enabled=False,
            reason="a test",
            organization_id=admin.someone.organization_id,
        )
    await state.kept.refresh()
    try:
        assert await kept(one.someone.organization_id) == []
        await ask(other, question)
        assert await kept(one.someone.organization_id) == []
    finally:
        async with db.transaction() as session:
            await flags.set_flag(
                session,
                "model.cache",
                enabled=True,
                reason="the test is over",
                organization_id=admin.someone.organization_id,
            )
        await state.kept.refresh()
    configure(CACHE_ANSWERS="off")
    await ask(other, question)
    assert len(model.requests) == 3
    assert await kept(one.someone.organization_id) == []


async def test_a_release_and_a_changed_document_empty_it(team, model):
    one, *_ = team
    whose = one.someone.organization_id
    await ask(one, f"What is {token_hex(4)}?")
    async with db.transaction(organization_id=whose) as session:
        await service.forget_documents(session, whose)
    assert len(await kept(whose)) == 1  # It came from none.
    async with db.transaction(elevated=True) as session:
        await session.execute(
            update(CachedAnswer)
            .where(CachedAnswer.organization_id == whose)
            .values(with_documents=True)
        )
    async with db.transaction(organization_id=whose) as session:
        await service.forget_documents(session, whose)
    assert await kept(whose) == []

    await ask(one, f"What is {token_hex(4)}?")
    async with db.transaction() as session:
        await service.forget_prompt(session, "assistant.system")
    assert await kept(whose) == []
    await ask(one, f"What is {token_hex(4)}?")
    assert len(await kept(whose)) == 1


async def forget_a_prompt(session, _):
    await service.forget_prompt(session, "assistant.system")


async def forget_documents(session, whose):
    await service.forget_documents(session, whose)


@pytest.mark.parametrize("forget", [forget_a_prompt, forget_documents])
async def test_what_began_before_an_emptying_was_over_is_given_and_not_kept(team, model, forget):
    one, *_ = team
    whose = one.someone.organization_id

    # It is noted before the emptying is committed, which nobody else sees yet.
    async with db.transaction(organization_id=whose) as session:
        await forget(session, whose)
        assert text_of(await ask(one, f"What is {token_hex(4)}?")) == "".join(WORDS)
        assert await kept(whose) == []
    assert await kept(whose) == []
    assert (await days(whose)).missed == 1

    # It begins before that, and is noted afterwards.
    go_on = asyncio.Event()
    model.behaviour = Behaviour(hold=go_on)
    async with db.transaction(organization_id=whose) as session:
        await forget(session, whose)
        answering = await begun(one, model)
    go_on.set()
    assert text_of(await answering) == "".join(WORDS)
    assert await kept(whose) == []

    # The whole emptying happens while the model works.
    go_on.clear()
    answering = await begun(one, model)
    async with db.transaction(organization_id=whose) as session:
        await forget(session, whose)
    go_on.set()
    assert text_of(await answering) == "".join(WORDS)
    assert await kept(whose) == []
    assert (await days(whose)).missed == 3

    # Others' emptyings are nothing to it.
    async with db.transaction() as session:
        await service.forget_documents(session, uuid7())
        await ask(one, f"What is {token_hex(4)}?")
        assert len(await kept(whose)) == 1


async def begun(browser, model):
    """Someone asks, and the model has the question."""
    asked = len(model.requests)
    answering = asyncio.create_task(ask(browser, f"What is {token_hex(4)}?"))
    while len(model.requests) == asked:
        await asyncio.sleep(0.01)
    return answering


async def test_what_is_old_or_too_much_goes_and_an_old_answer_is_not_given(team, model, configure):
    one, *_ = team
    whose = one.someone.organization_id
    questions = [f"What is {token_hex(4)}?" for _ in range(3)]
    for question in questions:
        await ask(one, question)
    found = sorted(await kept(whose), key=lambda entry: entry.created_at)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            update(CachedAnswer)
            .where(CachedAnswer.id == found[0].id)
            .values(expires_at=func.now() - text("interval '1 hour'"))
        )
    await ask(one, questions[0])
    assert len(model.requests) == 4

    configure(CACHE_ENTRIES_PER_ORGANIZATION=2)
    async with db.transaction(elevated=True) as session:
        await service.evict(session)
    left = {entry.id for entry in await kept(whose)}
    assert len(left) == 2
    assert found[1].id not in left  # Not asked for the longest.

    configure(CACHE_STALE_HOURS=0, CACHE_ENTRIES_PER_ORGANIZATION=10)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            update(CachedAnswer)
            .where(CachedAnswer.organization_id == whose)
            .values(expires_at=func.now() - text("interval '1 minute'"))
        )
        await service.evict(session)
    assert await kept(whose) == []


async def test_an_answer_that_no_longer_holds_is_found_out_and_goes(
    team, model, configure, monkeypatch
):
    configure(CACHE_CHECKED_PERCENT=100, LLM_TASK_MODELS='{"assistant": ["gpt-5.4-nano"]}')
    one, other, _ = team
    whose = one.someone.organization_id
    monkeypatch.setattr("app.users.operators._known", whose)
    question = f"What is {token_hex(4)}?"
    model.behaviour = Behaviour(words=("It ", "costs ", "30 ", "euros."))
    await ask(one, question)
    await ask(other, question)
    await checking.settled()
    day = await days(whose)
    assert (day.checked, day.agreed) == (1, 1)
    # The model that answered is asked again, and no other one.
    assert [one.body["model"] for one in model.requests] == ["gpt-5.4-nano"] * 2
    # The mark of the organisation that asks now is in it, and the earlier one's is not twice.
    assert model.requests[1].body["messages"][0]["content"].count("never to be repeated") == 1

    model.behaviour = Behaviour(words=("It ", "costs ", "31 ", "euros."))
    again = await ask(one, question)
    assert again[-1][1]["marks"]
    await checking.settled()
    day = await days(whose)
    assert (day.checked, day.agreed) == (2, 1)
    assert await kept(whose) == []
