"""What people found wrong is not given again."""

import pytest

from tests.asking import text_of
from tests.cache.conftest import kept
from tests.review.conftest import says


@pytest.mark.parametrize("verdict", ["approved", "corrected", "rejected"])
async def test_an_answer_that_people_found_wrong_is_not_given_again(
    office, model, configure, verdict
):
    configure(CACHE_ANSWERS="exact", REVIEW_SAMPLE='{"assistant": 1}')
    model.behaviour = says("Ten ", "moons.")
    await office.answer("How many moons?")
    organization = office.asker.someone.organization_id
    [entry] = await kept(organization)
    more = {"correction": "95."} if verdict == "corrected" else {}
    assert (await office.resolved(verdict, **more)).status_code == 200
    assert [one.id for one in await kept(organization)] == [entry.id] * (verdict == "approved")
    model.behaviour = says("95 ", "moons.")
    events = await office.asker.ask(await office.asker.new(), "How many moons?")
    assert text_of(events) == ("Ten moons." if verdict == "approved" else "95 moons.")
    # An answer that was given again is an answer, and is drawn like any other.
    [told] = (await office.reviewer.client.get("/api/review/figures")).json()["sample"]
    assert (told["answers"], told["drawn"], told["queued"]) == (2, 2, 2)
