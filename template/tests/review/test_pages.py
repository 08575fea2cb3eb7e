"""The queue in a browser without scripts."""

import re

import pytest

from tests.review.conftest import move_back, says

HTML = {"Accept": "text/html"}


@pytest.fixture
async def page(office):
    """`await page("/review")`: what a reviewer reads."""

    async def read(path: str, who=None) -> str:
        answer = await (who or office.reviewer).client.get(path, headers=HTML)
        assert answer.status_code == 200, answer.text
        return answer.text

    return read


async def post(who, path: str, **form: str):
    form |= {"csrf_token": who.client.headers["X-CSRF-Token"]}
    return await who.client.post(path, data=form, headers=HTML)


async def test_a_reviewer_works_through_the_queue(office, model, configure, page, database):
    configure(REVIEW_SAMPLE='{"assistant": 1}')
    assert "Nothing here" in await page("/review")
    model.behaviour = says("Ten <b>moons</b>, ", "I think.")
    conversation, _ = await office.answer("How many <i>moons</i>?")
    waiting = await page("/review?reason=sampled")
    assert "Random sample" in waiting
    assert "moons" not in waiting
    assert "Nothing here" in await page("/review?reason=asked")
    assert "Nothing here" in await page("/review?show=overdue")
    look = re.search(r'href="(/review/[0-9a-f-]{36})"', waiting)[1]
    before = await page(look)
    assert "You see the question and the answer once you have taken it." in before
    assert "moons" not in before
    taken = await post(office.reviewer, "/review/next")
    assert (taken.status_code, taken.headers["Location"]) == (303, look)
    item = await page(look)
    assert "How many &lt;i&gt;moons&lt;/i&gt;?" in item
    assert "60 of 100, uncalibrated: hedges" in item
    assert "Ada Lovelace has taken it." in await page(look, office.other)
    assert "Random sample" in await page("/review?show=mine")
    # A correction that is empty comes back with what is wrong.
    refused = await post(office.reviewer, f"{look}/resolve", verdict="corrected")
    assert refused.status_code == 422
    assert "Write what the answer should be." in refused.text
    done = await post(
        office.reviewer, f"{look}/resolve", verdict="corrected", correction="95.", note="In 2025."
    )
    assert done.status_code == 303
    assert "Corrected" in await page("/review?show=done")
    assert "In 2025." in await page(look, office.other)
    chat = await page(f"/chat/{conversation}", office.asker)
    assert "Corrected by a person: In 2025." in chat
    # Given back and overdue.
    await office.answer()
    await post(office.reviewer, "/review/next", reason="sampled")
    mine = re.search(r'href="(/review/[0-9a-f-]{36})"', await page("/review?show=mine"))[1]
    assert (await post(office.other, f"{mine}/claim")).headers["Location"] == mine
    assert (await post(office.other, f"{mine}/release")).headers["Location"] == "/review"
    await post(office.reviewer, f"{mine}/release")
    await move_back(database, 200)
    assert "Random sample" in await page("/review?show=overdue")
    figures = await page("/review/figures")
    assert "nobody has looked a second time" in figures
    assert "too few to tell how far people agree" in figures
    # Not for those who do not review.
    for path in ("/review", "/review/figures", look):
        answer = await office.asker.client.get(path, headers=HTML)
        assert answer.status_code == 403


async def test_a_verdict_is_hidden_while_someone_looks_again(office, model, configure, page):
    configure(REVIEW_SAMPLE='{"assistant": 1}', REVIEW_SECOND_SHARE=1)
    await office.answer()
    first = (await office.resolved("rejected", note="Not so.")).json()["id"]
    for path in ("/review?show=done", f"/review/{first}"):
        assert "Not so." not in await page(path, office.other)
    assert "Hidden while someone looks again" in await page("/review?show=done", office.other)
    assert "must not know the verdict" in await page(f"/review/{first}", office.other)
    await office.resolved("rejected", office.other)
    assert "Not so." in await page(f"/review/{first}", office.other)


async def test_a_conversation_says_that_people_look(office, model, configure, page):
    conversation, _ = await office.answer()
    shown = await page(f"/chat/{conversation}", office.asker)
    assert "Let a person look at this" in shown
    assert "read some of them" not in shown
    configure(REVIEW_SAMPLE='{"assistant": 0.1}', GUARDRAILS_REVIEW_WORDS='["dose"]')
    conversation = await office.asker.new()
    await office.asker.ask(conversation, "Which dose?")
    shown = await page(f"/chat/{conversation}", office.asker)
    assert "A person will look at this" in shown
    assert "read some of them" in shown


async def test_how_far_two_agree_is_shown_once_their_verdicts_differ(
    office, model, configure, page
):
    configure(REVIEW_SAMPLE='{"assistant": 1}', REVIEW_SECOND_SHARE=1)
    model.behaviour = says("Ten ", "moons.")
    for one, other in (("approved", "approved"), ("rejected", "approved")):
        await office.answer()
        await office.resolved(one)
        await office.resolved(other, office.other)
    shown = " ".join((await page("/review/figures")).split())
    assert "in 1 of 2 answers" in shown
    assert re.search(r"Cohen&#39;s kappa; 95 %: -\d\.\d\d to \d\.\d\d", shown)
