"""A share of the answers, drawn by their ids: nobody chooses, and anyone can draw again."""

import hashlib
from uuid import UUID

import pytest

from app.core.ids import uuid7
from app.prompts.statistics import wilson
from app.review.drawing import drawn
from tests.llm.wire_server import Behaviour
from tests.review.conftest import move_back, recorded


def test_what_is_drawn_follows_from_the_id_alone():
    ids = [uuid7() for _ in range(4000)]
    for share in (0.01, 0.2, 0.5):
        chosen = [one for one in ids if drawn(one, share, "sample")]
        # Written down in docs/review.md, so that others can compute it.
        assert chosen == [
            one
            for one in ids
            if int(hashlib.sha256(b"sample" + one.bytes).hexdigest()[:16], 16) < share * 2**64
        ]
        assert abs(len(chosen) / len(ids) - share) < 0.04
        assert all(drawn(one, share + 0.1, "sample") for one in chosen)
    assert not any(drawn(one, 0, "sample") for one in ids)
    assert all(drawn(one, 1, "sample") for one in ids)
    # One draw says nothing of another.
    both = sum(drawn(one, 0.5, "sample") and drawn(one, 0.5, "second") for one in ids)
    assert abs(both / len(ids) - 0.25) < 0.04


async def test_a_share_of_a_feature_is_queued_and_can_be_proved(office, model, configure):
    configure(REVIEW_SAMPLE='{"assistant": 0.5, "other": 1}')
    calls = [(await office.answer())[1] for _ in range(12)]
    wanted = {one for one in calls if drawn(UUID(one), 0.5, "sample")}
    queued = await office.queue()
    assert {one["call_id"] for one in queued} == wanted
    assert {one["reason"] for one in queued} <= {"sampled"}
    assert len(await recorded(office.reviewer, "review.queued")) == len(wanted)
    figures = (await office.reviewer.client.get("/api/review/figures")).json()
    sample = {one["feature"]: one for one in figures["sample"]}
    assert sample["other"]["answers"] == 0
    told = sample["assistant"]
    assert (told["share"], told["queued"], told["unexplained"]) == (0.5, len(wanted), 0)
    assert told["drawn"] == told["queued"]
    assert figures["open"] == len(wanted)
    assert dict(figures["ages"])["< 1 h"] == len(wanted)


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(status=500, error={}), Behaviour(cut_after=2), Behaviour(words=(), finish="stop")],
)
async def test_only_what_was_answered_is_a_sample(office, model, configure, behaviour):
    configure(REVIEW_SAMPLE='{"assistant": 1}', LLM_RETRIES=0)
    model.behaviour = behaviour
    conversation = await office.asker.new()
    async with office.asker.asking(conversation, "What is it?") as reader:
        await reader.response.aread()
    answered = await recorded(office.reviewer, "model.answered")
    assert len(await office.queue()) == len(answered)


async def test_people_see_how_often_they_approve_answers_of_a_confidence(
    office, model, configure, database
):
    configure(REVIEW_SAMPLE='{"assistant": 1}')
    for _ in range(3):
        await office.answer()
    for verdict in ("approved", "approved", "rejected"):
        assert (await office.resolved(verdict)).status_code == 200
    # What came for another reason is no sample of anything.
    configure(REVIEW_SAMPLE="{}")
    _, call = await office.answer()
    await office.asker.client.post(f"/api/review/asked/{call}", json={})
    await office.resolved("rejected")
    found = (await office.reviewer.client.get("/api/review/figures")).json()
    bands = found["bands"]
    assert (found["done"], found["in_time"]["value"]) == (4, 1)
    assert found["median_hours"] == pytest.approx(0, abs=0.5)
    await move_back(database, 200)
    late = (await office.reviewer.client.get("/api/review/figures")).json()
    assert late["in_time"]["value"] == 0
    assert [one["looked_at"] for one in bands] == [0, 0, 0, 0, 3]
    found = bands[-1]["approved"]
    shown = wilson(2, 3)
    assert (found["value"], found["low"], found["high"]) == pytest.approx(
        (shown.value, shown.low, shown.high)
    )
