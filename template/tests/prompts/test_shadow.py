"""A shadow is asked what people ask, and nobody sees what it says."""

import asyncio
import re
from hashlib import sha256

import orjson
import pytest
from sqlalchemy import select, text

from app.cache import noting
from app.cache.models import CachedAnswer, CachedVector
from app.core import db
from app.flags.state import kept
from app.llm.port import PromptUsed
from app.prompts import registry, shadowing
from app.prompts.files import files
from app.usage.models import UsageRecord
from tests.asking import browser, browser_of, model, through_the_assistant  # noqa: F401 fixtures
from tests.llm.wire_server import Behaviour
from tests.prompts.test_registry import label, until, write

pytestmark = through_the_assistant

NAME = "assistant.system"


async def begin(client, number, **more):
    plan = {"version": number, "percent": 100, "dollars_per_day": 100}
    return await client.post(f"/api/prompts/{NAME}/shadows", json=plan | more)


async def told(client):
    return (await client.get(f"/api/prompts/{NAME}/shadows")).json()[0]


async def end(client):
    one = await told(client)
    address = f"/api/prompts/shadows/{one['id']}/end"
    assert (await client.post(address, json={"reason": "Seen enough."})).status_code == 204
    await until(lambda: registry.shadow(NAME) is None)


@pytest.fixture
async def candidate(client, operator):
    base = next(one.text for one in files() if one.name == NAME)
    made = await write(client, NAME, f"{base}\n\nMARK {operator.user_id} {{{{today}}}}")
    return made.json()["number"]


def answering(model):  # noqa: F811
    """The shown answer and the shadow's, told apart by the prompt."""

    def choose(request):
        is_shadow = "MARK" in request.body["messages"][0]["content"]
        return Behaviour(words=("The shadow's own words.",) if is_shadow else ("Shown words.",))

    model.choose = choose


async def asked(client, browser, model, question):  # noqa: F811
    """Ask, and wait until the shadow has been asked as well; everything the person sees."""
    conversation = await browser.new()
    events = await browser.ask(conversation, question)
    async with asyncio.timeout(30):
        while shadowing._tasks:
            await asyncio.wait([*shadowing._tasks.values()])
    return f"{events} {await browser.messages(conversation)}"


async def test_nobody_sees_it_and_its_cost_is_counted_apart(
    client,
    operator,
    candidate,
    browser,  # noqa: F811
    model,  # noqa: F811
    configure,
):
    configure(CACHE_ANSWERS="exact")
    answering(model)
    live = registry.live(NAME).number
    assert (await begin(client, candidate)).status_code == 204
    assert (await begin(client, candidate)).json()["type"] == "/problems/shadow-running"
    await until(lambda: registry.shadow(NAME) is not None)
    seen = await asked(client, browser, model, "Mail ada@example.com about comets?")
    assert "Shown words." in seen
    assert "shadow" not in seen.lower()

    shadow = model.requests[-1].body["messages"]
    assert "MARK" in shadow[0]["content"]
    assert "{{" not in shadow[0]["content"]
    assert "comets" in shadow[-1]["content"]
    assert "ada@example.com" not in str(shadow)  # What was masked stays masked.
    one = await told(client)
    assert (one["answers"], one["answered"], one["version"]) == (1, 1, candidate)
    assert 0 <= one["similarity"] < 1
    assert one["microdollars"] > 0

    async with db.transaction(organization_id=browser.someone.organization_id) as session:
        own = (await session.scalars(select(UsageRecord))).all()
    assert [(row.feature, row.prompt_version) for row in own] == [("assistant", live)]
    async with db.transaction(organization_id=operator.organization_id) as session:
        found = await session.scalars(
            select(UsageRecord).where(UsageRecord.feature == shadowing.FEATURE)
        )
        booked = [(row.prompt_version, row.user_id) for row in found]
        columns = await session.execute(
            text("SELECT to_jsonb(a)::text FROM prompt_shadow_answers a")
        )
        kept = " ".join(row[0] for row in columns)
        await noting.settled()
        cached = await session.scalars(select(CachedAnswer.feature))
        assert shadowing.FEATURE not in set(cached)
    assert booked.count((candidate, None)) == 1
    assert "words." not in kept
    assert str(browser.someone.user_id) not in kept

    await end(client)
    before = len(model.requests)
    await asked(client, browser, model, "And planets?")
    assert len(model.requests) == before + 1


async def test_a_day_s_money_ends_it_for_the_day(
    client,
    operator,
    candidate,
    browser,  # noqa: F811
    model,  # noqa: F811
):
    answering(model)
    assert (await begin(client, candidate, dollars_per_day=0)).status_code == 204
    await until(lambda: registry.shadow(NAME) is not None)
    await asked(client, browser, model, "What is a comet?")
    assert len(model.requests) == 1
    assert (await told(client))["answers"] == 0
    await end(client)


async def test_switched_off_it_is_not_asked_and_has_not_failed(
    client,
    operator,
    candidate,
    browser,  # noqa: F811
    model,  # noqa: F811
):
    answering(model)
    assert (await begin(client, candidate)).status_code == 204
    await until(lambda: registry.shadow(NAME) is not None)
    switch = "/api/flags/model.prompts.shadow"
    for enabled, requests in ((False, 1), (True, 3)):
        wanted = {"enabled": enabled, "reason": "It costs too much."}
        assert (await client.put(switch, json=wanted)).status_code == 204
        await kept.refresh()
        await asked(client, browser, model, f"What is a comet, {requests}?")
        assert len(model.requests) == requests
    assert (await told(client))["answers"] == 1
    await end(client)


async def test_what_a_guard_withheld_is_paid_for_and_ends_it_as_well(
    client,
    operator,
    candidate,
    browser,  # noqa: F811
    model,  # noqa: F811
):
    def choose(request):
        system = request.body["messages"][0]["content"]
        leaked = re.search(r"never to be repeated: (\w+)", system)[1]
        return Behaviour(words=(leaked,) if "MARK" in system else ("Shown words.",))

    model.choose = choose
    # The money that is left when it begins may be spent once.
    assert (await begin(client, candidate, dollars_per_day=0.000001)).status_code == 204
    await until(lambda: registry.shadow(NAME) is not None)
    for question in ("What is a comet?", "What is a planet?"):
        await asked(client, browser, model, question)
    shadows = [one for one in model.requests if "MARK" in str(one.body["messages"][0])]
    one = await told(client)
    assert (len(shadows), one["answers"], one["stopped"]) == (1, 1, 1)
    assert one["microdollars"] > 0
    await end(client)


async def test_who_pays_for_a_shadow_keeps_no_vector_of_what_others_were_shown(
    client,
    operator,
    candidate,
    browser,  # noqa: F811
    model,  # noqa: F811
    configure,
):
    """Also not when it cannot be compared: then it counts without."""
    answering(model)
    vectors = []

    def aside(request):
        if "input" not in request.body:
            return None
        vectors.append(request.body["input"])
        data = [{"index": at, "embedding": [1.0, at]} for at in range(len(vectors[-1]))]
        return orjson.dumps({"data": data}) if len(vectors) == 1 else b"{}"

    model.wire.aside = aside
    configure(LLM_EMBEDDING_MODEL="small", LLM_EMBEDDING_BASE_URL=model.url)
    assert (await begin(client, candidate)).status_code == 204
    await until(lambda: registry.shadow(NAME) is not None)
    await asked(client, browser, model, "What is a comet?")
    await asked(client, browser, model, "What is a planet?")
    compared = [one for one in vectors if "Shown words." in one]
    assert len(compared) == 2
    assert (await told(client))["answered"] == 2
    async with db.transaction(organization_id=operator.organization_id) as session:
        kept = await session.scalars(
            select(CachedVector.digest).where(CachedVector.made_by.like("embeddings/small/%"))
        )
        assert not {*kept} & {sha256(one.encode()).digest() for one in compared[0]}
    await end(client)


async def test_a_shadow_of_what_went_live_ends(client, operator, seeded):
    name = await seeded("Be kind. {{today}}")
    await write(client, name)
    plan = {"version": 2, "percent": 100}
    assert (await client.post(f"/api/prompts/{name}/shadows", json=plan)).status_code == 204
    assert (await label(client, name, 2)).status_code == 200
    [one] = (await client.get(f"/api/prompts/{name}/shadows")).json()
    assert (one["ended_at"] is not None, one["ended_because"]) == (True, "It went live itself.")


def test_values_of_a_prompt_are_in_no_log_line():
    assert "secret" not in repr(PromptUsed("a.b", 1, {"today": "secret"}))
