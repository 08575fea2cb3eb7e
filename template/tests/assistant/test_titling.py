"""A model names a conversation: an answer as data, governed like every call."""

import pytest
from sqlalchemy import select

from app.assistant.titling import Named
from app.core import db
from app.flags import service as flags
from app.flags import state
from app.prompts import files
from app.usage.models import UsageRecord
from tests.asking import Browser
from tests.factories import make_organization, make_user
from tests.flags.conftest import operators as operators
from tests.llm.wire_server import Behaviour, WireServer
from tests.usage.conftest import limit, person_of

SAID = "How do I repot an orchid?"


def answers(model: WireServer, *texts: str) -> None:
    """To the question, and then each of these to whoever asks for a title; the last one stays."""
    left = list(texts)

    def choose(request) -> Behaviour:
        asks = "You name conversations" in str(request.body["messages"][0]["content"])
        text = (left.pop(0) if len(left) > 1 else left[0]) if asks else "Use bark."
        return Behaviour(words=(text,))

    model.choose = choose


@pytest.fixture
async def ada(browser_of) -> Browser:
    return await browser_of(await make_user(await make_organization(), password=False))


async def asked(browser: Browser) -> str:
    conversation = await browser.new()
    await browser.ask(conversation, SAID)
    return conversation


async def entries(browser: Browser) -> list[UsageRecord]:
    async with db.transaction(organization_id=browser.someone.organization_id) as session:
        query = select(UsageRecord).where(UsageRecord.feature == "assistant.title")
        return list(await session.scalars(query.order_by(UsageRecord.id)))


async def title(browser: Browser, conversation: str) -> str:
    return (await browser.client.get(f"/api/conversations/{conversation}")).json()["title"]


async def test_a_conversation_gets_the_title_that_the_model_gives(ada, model):
    answers(model, '{"title": " Repotting an orchid "}')
    conversation = await asked(ada)
    named = await ada.client.post(f"/api/conversations/{conversation}/title")
    assert (named.status_code, named.json()["title"]) == (200, "Repotting an orchid")
    assert await title(ada, conversation) == "Repotting an orchid"
    told = model.requests[-1].body["messages"]
    assert f"<said>\n{SAID}\n</said>" in str(told[-1]["content"])
    [entry] = await entries(ada)
    assert (entry.state, entry.outcome, entry.prompt) == ("settled", "answered", "assistant.title")


async def test_what_is_almost_json_is_mended_and_what_does_not_fit_is_asked_for_once_more(
    ada, model
):
    answers(model, '```json\n{"title": "Orchids",}\n```')
    conversation = await asked(ada)
    await ada.client.post(f"/api/conversations/{conversation}/title")
    assert await title(ada, conversation) == "Orchids"
    answers(model, '{"name": "no"}', '{"title": "Bark for orchids"}')
    await ada.client.post(f"/api/conversations/{conversation}/title")
    assert await title(ada, conversation) == "Bark for orchids"
    assert len(await entries(ada)) == 3


@pytest.mark.parametrize("never", ["Orchids, I would say.", '{"title": "' + "x" * 121 + '"}'])
async def test_what_never_fits_is_a_problem_with_a_name_and_the_title_stays(ada, model, never):
    answers(model, never)
    conversation = await asked(ada)
    refused = await ada.client.post(f"/api/conversations/{conversation}/title")
    assert refused.json()["type"].endswith("answer-not-as-asked")
    assert await title(ada, conversation) == SAID
    assert [one.state for one in await entries(ada)] == ["settled", "settled"]


async def test_nobody_names_what_is_not_theirs_and_nothing_has_no_title(ada, model, browser_of):
    answers(model, '{"title": "Mine"}')
    conversation = await asked(ada)
    colleague = await make_user(ada.someone.organization_id, role="admin", password=False)
    for other in (colleague, await make_user(password=False)):
        browser = await browser_of(other)
        refused = await browser.client.post(f"/api/conversations/{conversation}/title")
        assert refused.status_code == 404
    empty = await ada.client.post(f"/api/conversations/{await ada.new()}/title")
    assert (empty.status_code, empty.json()["type"].rpartition("/")[2]) == (409, "nothing-said")
    assert await title(ada, conversation) == SAID
    assert await entries(ada) == []


async def test_no_byte_leaves_when_its_switch_is_off_or_the_budget_is_nothing(
    ada, model, operators
):
    answers(model, '{"title": "Orchids"}')
    conversation = await asked(ada)
    path, before = f"/api/conversations/{conversation}/title", len(model.requests)
    await limit(person_of(ada.someone), ada.someone.user_id, microdollars_per_month=0)
    assert (await ada.client.post(path)).status_code == 429
    await limit(person_of(ada.someone), ada.someone.user_id)
    async with db.transaction(elevated=True) as session:
        off = {"enabled": False, "off_for": (), "reason": "Names all of them Bob"}
        await flags.set_flag(session, "model.assistant.title", organization_id=operators, **off)
    await state.kept.refresh()
    refused = await ada.client.post(path)
    assert refused.status_code == 503
    assert len(model.requests) == before
    assert await title(ada, conversation) == SAID


def test_evaluations_ask_for_the_same_class():
    assert files.shape("assistant.title") is Named
