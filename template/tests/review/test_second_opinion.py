"""Some of what was looked at is looked at again, blindly; who differ bring a third."""

import pytest

from app.review.agreement import agreement, kappa
from tests.factories import make_user
from tests.review.conftest import says


@pytest.fixture
def twice(configure):
    configure(REVIEW_SAMPLE='{"assistant": 1}', REVIEW_SECOND_SHARE=1)


async def test_a_second_person_knows_no_verdict_and_a_third_one_decides(
    office, browser_of, model, twice
):
    model.behaviour = says("Ten ", "moons.")
    conversation, _ = await office.answer("How many?")
    first = await office.claimed()
    await office.decide(office.reviewer, first, "corrected", correction="95.", note="Mind S/2003.")
    assert (await office.told(conversation))[0] == "95."
    [second] = await office.queue()
    assert (second["look"], second["reason"]) == (2, "sampled")
    # Whoever looked first cannot look again; and nobody else learns what they said.
    again = await office.reviewer.client.post("/api/review/claim", json={})
    assert again.status_code == 404
    taken = await office.claimed(office.other)
    assert (taken["look"], taken["words"]["answer"]) == (2, "Ten moons.")
    seen = (await office.other.client.get(f"/api/review/{first['id']}")).json()
    assert (seen["words"], seen["decided"]) == (None, None)
    [listed] = await office.queue(office.other, show="done")
    assert "95." not in str(listed)
    assert "corrected" not in str(listed)
    # The one who said it still may read it.
    own = (await office.reviewer.client.get(f"/api/review/{first['id']}")).json()
    assert own["decided"]["verdict"] == "corrected"
    await office.decide(office.other, taken, "approved")
    # The first one holds until the third look.
    assert (await office.told(conversation))[0] == "95."
    [third] = await office.queue()
    assert third["look"] == 3
    for who in (office.reviewer, office.other):
        assert (await who.client.post(f"/api/review/{third['id']}/claim")).status_code == 409
    organization = office.asker.someone.organization_id
    judge = await browser_of(await make_user(organization, role="reviewer", password=False))
    last = await office.claimed(judge)
    assert (await judge.client.get(f"/api/review/{first['id']}")).json()["decided"] is None
    await office.decide(judge, last, "approved", note="Ten large ones.")
    text, _, review = await office.told(conversation)
    assert (text, review) == ("Ten moons.", {"state": "approved", "note": "Ten large ones."})
    assert await office.queue() == []
    seen = (await office.other.client.get(f"/api/review/{first['id']}")).json()
    assert seen["decided"]["verdict"] == "corrected"


async def test_who_agree_bring_nobody_else(office, model, twice, configure):
    await office.answer()
    await office.resolved("approved")
    await office.resolved("approved", office.other)
    assert await office.queue() == []
    figures = (await office.reviewer.client.get("/api/review/figures")).json()["agreement"]
    assert (figures["pairs"], figures["same"], figures["too_few"]) == (1, 1, True)
    assert figures["kappa"] is None  # of one verdict nothing is beyond chance
    configure(REVIEW_SAMPLE='{"assistant": 1}', REVIEW_SECOND_SHARE=0)
    await office.answer()
    await office.resolved("approved")
    assert await office.queue() == []


def pairs(both_yes: int, yes_no: int, no_yes: int, both_no: int) -> list[tuple[str, str]]:
    yes, no = "approved", "rejected"
    return (
        [(yes, yes)] * both_yes + [(yes, no)] * yes_no + [(no, yes)] * no_yes + [(no, no)] * both_no
    )


def test_agreement_beyond_chance_is_cohens():
    # The example of Cohen's kappa that textbooks compute: 0.4, from 0.7 seen and 0.5 by chance.
    found = kappa(pairs(20, 5, 10, 15))
    assert found.value == pytest.approx(0.4)
    # The standard error of Fleiss, Cohen and Everitt, worked out in their other form.
    assert (found.high - found.low) / (2 * 1.959964) == pytest.approx(0.126996, abs=1e-6)
    assert kappa(pairs(25, 0, 0, 25)).value == 1
    assert kappa(pairs(0, 25, 25, 0)).value == -1
    assert kappa(pairs(25, 25, 25, 25)).value == pytest.approx(0)
    assert kappa(pairs(40, 0, 0, 0)) is None
    assert kappa([]) is None
    several = [("approved", "approved")] * 3 + [("corrected", "rejected"), ("rejected", "rejected")]
    assert kappa(several).value == pytest.approx((0.8 - 0.44) / (1 - 0.44))


@pytest.mark.parametrize(
    "counts", [(15, 0, 0, 15), (0, 15, 15, 0), (10, 10, 0, 0), (0, 3, 0, 0), (1, 0, 0, 1)]
)
def test_who_always_or_never_agree_are_not_known_to_do_so_for_ever(counts):
    """The standard error is 0 then, and says nothing."""
    found = kappa(pairs(*counts))
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.1


def test_few_pairs_are_said_to_be_few():
    assert agreement(pairs(20, 2, 2, 5)).too_few
    found = agreement(pairs(20, 2, 2, 6))
    assert not found.too_few
    assert (found.pairs, found.same) == (30, 26)
    assert found.share.low < found.share.value < found.share.high
