"""An organisation makes its guards stricter, for itself alone and never weaker."""

import asyncio

import pytest

from app.clocks import kept
from app.guardrails import state
from app.llm.errors import AnswerInReview, AnswerWithheld, QuestionRefused
from tests.factories import make_user, sign_in
from tests.llm.behaviour import Behaviour
from tests.llm.caller import Caller
from tests.usage.conftest import person_of

MAIL = "Write to ada@example.com, please."
BLOCK = {"version": 0, "actions": {"personal_data": "block"}}


@pytest.fixture
async def admin(client, caller):
    """An administrator of the organisation that `caller` belongs to."""
    made = await make_user(caller.person.organization_id, role="admin")
    await sign_in(client, made, second_factor=True)
    return made


async def test_what_one_organisation_refuses_another_still_masks(
    client, caller, wire_server, admin
):
    other = Caller(person_of(await make_user(password=False)))
    assert (await caller.ask(MAIL))[1]
    assert "guard_settings" not in (await caller.event()).detail
    answer = await client.put("/api/guards", json=BLOCK)
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    await state.kept.refresh()
    before = len(wire_server.requests)
    # What has passed before is judged anew.
    refusal = await caller.refused(QuestionRefused, MAIL)
    assert "personal data" in refusal.detail
    assert len(wire_server.requests) == before
    told = (await caller.event()).detail
    assert (told["guard_settings"], told["input_guards"]["guard"]) == (1, "personal_data")
    assert (await other.ask(MAIL))[1]
    assert "guard_settings" not in (await other.event()).detail
    # And back: a version later, as the installation has it.
    assert (await client.put("/api/guards", json={"version": 1})).json()["version"] == 2
    await state.kept.refresh()
    assert (await caller.ask(MAIL))[1]
    assert (await caller.event()).detail["guard_settings"] == 2
    events = (await client.get("/api/audit", params={"action": "guards.set"})).json()["events"]
    assert [one["detail"]["version"] for one in events] == [2, 1]
    assert events[1]["detail"]["actions"] == {"personal_data": "block"}


async def test_words_of_a_list_stop_questions_and_answers(client, caller, wire_server, admin):
    wanted = {"version": 0, "words": ["Project Falcon", "falke", "FALKE"]}
    said = await client.put("/api/guards", json=wanted)
    assert len(said.json()["words"]) == 2
    await state.kept.refresh()
    await caller.refused(QuestionRefused, "What is project\n falcon about?")
    assert (await caller.ask("What do falcons eat?"))[1]
    wire_server.behaviour = Behaviour(words=("It is Pro", "ject Fal", "con, and it is secret."))
    assert "Falcon" not in await caller.shown_until(AnswerWithheld)
    assert (await caller.event()).detail["output_guards"]["guard"] == "forbidden_words"
    # The list itself is in no log.
    assert "falke" not in (await client.get("/api/audit")).text.casefold()


async def test_what_is_found_in_an_answer_goes_to_a_person_or_ends_it(
    client, caller, wire_server, admin
):
    wire_server.behaviour = Behaviour(
        words=(
            "See https://exam",
            "ple.org/a for more of it.",
        )
    )
    assert "[link removed]" in (await caller.ask())[0]
    wanted = {"version": 0, "actions": {"links": "review"}}
    assert (await client.put("/api/guards", json=wanted)).status_code == 200
    await state.kept.refresh()
    await caller.refused(AnswerInReview)
    wanted = {"version": 1, "actions": {"links": "block"}}
    assert (await client.put("/api/guards", json=wanted)).status_code == 200
    await state.kept.refresh()
    await caller.refused(AnswerWithheld)


async def test_nobody_makes_a_guard_weaker_or_sets_those_of_others(
    client, caller, admin, configure
):
    for guard, action in (("system_prompt", "review"), ("nonsense", "block")):
        wrong = await client.put("/api/guards", json={"version": 0, "actions": {guard: action}})
        assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/no-such-guard")
    weaker = {"version": 0, "actions": {"links": "allow"}}
    assert (await client.put("/api/guards", json=weaker)).status_code == 422
    configure(GUARDRAILS_REVIEW_WORDS='["falcon"]', GUARDRAILS_REVIEW_SCORE=0.5)
    for guard in ("review_words", "injection"):
        wrong = await client.put("/api/guards", json={"version": 0, "actions": {guard: "review"}})
        assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/not-stricter")
    assert (await client.put("/api/guards", json=BLOCK)).status_code == 200
    stale = await client.put("/api/guards", json=BLOCK)
    assert (stale.status_code, stale.json()["type"]) == (409, "/problems/guards-changed")
    for word in ("a", "--", "x" * 81):
        wrong = await client.put("/api/guards", json={"version": 1, "words": [word]})
        assert wrong.status_code == 422
    await sign_in(client, await make_user(caller.person.organization_id), second_factor=True)
    assert (await client.get("/api/guards")).status_code == 403
    assert (await client.put("/api/guards", json=BLOCK)).status_code == 403
    await sign_in(client, await make_user(role="admin"), second_factor=True)
    assert (await client.get("/api/guards")).json()["version"] == 0


async def test_processes_notice_by_themselves_and_asking_costs_no_statement(
    client, caller, admin, monkeypatch
):
    beat = asyncio.create_task(kept.beat())
    organization = caller.person.organization_id
    try:
        await client.put("/api/guards", json=BLOCK)
        async with asyncio.timeout(20):
            while (await state.of(organization)).version != 1:
                await asyncio.sleep(0.02)
    finally:
        beat.cancel()
    assert kept.BEAT_SECONDS <= 0.5

    async def unwanted(*_):
        pytest.fail("It asked the database.")

    monkeypatch.setattr(kept, "fetch_all", unwanted)
    monkeypatch.setattr(kept, "STALE_SECONDS", 1_000_000)
    assert (await state.of(organization)).actions == {"personal_data": "block"}

    async def away(*_):
        raise TimeoutError

    # What was known last holds; whoever never knew anything lets nothing through.
    monkeypatch.setattr(kept, "fetch_all", away)
    monkeypatch.setattr(kept, "STALE_SECONDS", 0)
    assert (await state.of(organization)).version == 1
    monkeypatch.setattr(state.kept, "known", None)
    with pytest.raises(state.GuardsNotLoaded):
        await state.of(organization)
