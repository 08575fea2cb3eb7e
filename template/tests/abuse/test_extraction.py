"""Many different questions in a short time."""

import pytest
from sqlalchemy import text

from app.abuse import call_step, subjects
from app.core import db
from tests.abuse.conftest import measures, rows, sightings
from tests.asking import through_the_assistant
from tests.factories import make_user, sign_in

pytestmark = through_the_assistant


@pytest.fixture
async def asks(client):
    """Someone who asks the stand-in, each question in a conversation of its own."""
    call_step._waiting.clear()
    ada = await make_user()
    await sign_in(client, ada)

    async def ask(question):
        made = (await client.post("/api/conversations", json={})).json()["id"]
        path = f"/api/conversations/{made}/messages"
        return (await client.post(path, json={"text": question})).text

    yield ada, ask
    call_step._waiting.clear()


@pytest.mark.asvs("2.4.1")
async def test_many_different_questions_slow_the_next(asks, limits):
    ada, ask = asks
    for number in range(10):
        assert "event: done" in await ask(f"What is {number} times seven?")
    [seen] = await sightings()
    assert (seen["kind"], seen["subject"], seen["count"]) == ("extraction", str(ada.user_id), 10)
    answers = [await ask(f"And {number} times eight?") for number in range(7)]
    assert "event: done" in answers[0]
    assert "slowed-down" in answers[-1]
    assert "You ask far more" in answers[-1]


async def test_the_same_question_again_and_again_is_one(asks, limits):
    _, ask = asks
    for again in range(12):
        await ask(f"What {'is  ' if again % 2 else 'IS '}this?")
    assert await sightings() == []
    [counted] = await rows("SELECT count(*) AS n FROM abuse_counters")
    assert counted["n"] == 0  # Fewer than ten: the database was not told.


async def test_who_goes_on_is_suspended_from_the_model_and_from_nothing_else(client, asks, limits):
    ada, ask = asks
    subject = subjects.person(ada.organization_id, ada.user_id)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO abuse_counters (id, what, started_at, total, items)"
                " VALUES (:id, 'prompts', now(), 25, array(SELECT generate_series(1, 25)))"
            ),
            {"id": subject.key},
        )
    for number in range(10):
        await ask(f"What is {number} times nine?")
    refused = await ask("And now?")
    assert "suspended-for-now" in refused
    assert {(one["measure"], one["scope"]) for one in await measures()} == {("suspend", "model")}
    assert (await client.get("/api/conversations")).status_code == 200


async def test_an_organisation_is_slowed_together_and_never_suspended(asks, limits):
    ada, ask = asks
    limits(ABUSE_PROMPTS_PER_PERSON=1000, ABUSE_PROMPTS_PER_ORGANIZATION=10)
    for number in range(10):
        await ask(f"Who was the {number}th?")
    [seen] = await sightings()
    assert (seen["subject_kind"], seen["measure"]) == ("organization", "slow")
    assert seen["organization_id"] == ada.organization_id


async def test_no_question_is_kept(asks, limits):
    _, ask = asks
    for number in range(10):
        await ask(f"Is the heron number {number} grey?")
    for name in ("abuse_counters", "abuse_sightings", "abuse_measures"):
        [dump] = await rows(f"SELECT coalesce(string_agg(t::text, ' '), '') AS all FROM {name} t")
        assert "heron" not in dump["all"]


async def test_of_very_many_a_share_is_looked_at(configure):
    """An organisation that may ask 20,000 is counted by every twentieth, with no long rows."""
    subject = subjects.Subject("organization", "x", "x")
    call_step._waiting.clear()
    found = 0
    for number in range(40_000):
        mark = call_step.fingerprint(f"question {number}", "abuse prompt")
        found = max(found, await call_step._counted(subject, mark, 20_000))
    assert 19_000 <= found <= 21_000
    [kept] = await rows("SELECT cardinality(items) AS n FROM abuse_counters")
    assert kept["n"] <= 1010
    call_step._waiting.clear()
