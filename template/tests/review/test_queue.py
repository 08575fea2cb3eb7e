"""The queue: each waiting answer is one person's at a time, in its organisation, in time."""

import asyncio

import pytest
from sqlalchemy import text

from app.core import db
from app.jobs import queue as jobs_queue
from app.mail import service as mail
from app.review import jobs
from tests.factories import make_user
from tests.review.conftest import make_office, move_back, recorded, says

ALL = '{"assistant": 1}'


@pytest.fixture
def all_of_them(configure):
    configure(REVIEW_SAMPLE=ALL)


async def test_an_answer_goes_through_the_queue(office, model, all_of_them):
    model.behaviour = says("The moon ", "is old.")
    conversation, call = await office.answer("How old is the moon?")
    [waiting] = await office.queue()
    assert (waiting["call_id"], waiting["reason"], waiting["state"]) == (call, "sampled", "waiting")
    # Nobody reads what was said before they have taken it, and that is written down.
    assert waiting["words"] is None
    assert (await office.told(conversation))[2] is None  # nothing was promised
    one = await office.claimed()
    assert (one["words"]["question"], one["words"]["answer"]) == (
        "How old is the moon?",
        "The moon is old.",
    )
    [claimed] = await recorded(office.reviewer, "review.claimed")
    assert claimed.user_id == office.reviewer.someone.user_id
    # It is theirs: no other may take, read, or decide it.
    other = office.other.client
    assert (await other.post(f"/api/review/{one['id']}/claim")).status_code == 409
    assert (await office.decide(office.other, one, "approved")).json()["type"].endswith("not-yours")
    assert (await other.get(f"/api/review/{one['id']}")).json()["words"] is None
    assert (await other.post("/api/review/claim", json={})).status_code == 404
    # Given back, someone else decides.
    given = await office.reviewer.client.post(f"/api/review/{one['id']}/release")
    assert given.status_code == 204
    assert (await office.decide(office.reviewer, one, "approved")).status_code == 409
    again = await office.claimed(office.other)
    empty = await office.decide(office.other, again, "corrected")
    assert empty.json()["type"] == "/problems/correction-missing"
    done = await office.decide(
        office.other, again, "corrected", correction="4.5 billion years.", note="Say a number."
    )
    assert done.json()["decided"]["verdict"] == "corrected"
    assert (await office.told(conversation))[:2] == ("4.5 billion years.", "complete")
    assert (await office.told(conversation))[2] == {"state": "corrected", "note": "Say a number."}
    assert await office.queue() == []
    [seen] = await office.queue(show="done")
    assert seen["decided"]["correction"] == "4.5 billion years."
    # What follows in the conversation is built on the better answer.
    await office.asker.ask(conversation, "And the sun?")
    sent = [one["content"] for one in model.requests[-1].body["messages"]]
    assert "4.5 billion years." in sent
    assert "The moon is old." not in sent


async def test_only_reviewers_of_the_organisation_see_it(office, browser_of, model, all_of_them):
    _, call = await office.answer()
    one = await office.claimed()
    stranger = (await make_office(browser_of)).other
    assert await office.queue(stranger) == []
    for method, path, sent in (
        ("GET", f"/api/review/{one['id']}", None),
        ("POST", f"/api/review/{one['id']}/claim", None),
        ("POST", f"/api/review/{one['id']}/release", None),
        ("POST", f"/api/review/{one['id']}/resolve", {"verdict": "rejected"}),
        ("POST", f"/api/review/asked/{call}", {}),
    ):
        answer = await stranger.client.request(method, path, json=sent)
        assert answer.status_code == 404, path
        if "asked" not in path:
            answer = await office.asker.client.request(method, path, json=sent)
            assert answer.status_code == 403, path
    assert (await office.asker.client.get("/api/review")).status_code == 403
    # And the database shows no other organisation any of it, nor lets anyone change the words.
    async with db.transaction(organization_id=stranger.someone.organization_id) as session:
        for table in ("review_items", "review_looks"):
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
    for statement in (
        "UPDATE review_items SET answer = 'x'",
        "UPDATE review_items SET sampled = false",
        "DELETE FROM review_items",
        "DELETE FROM review_looks",
    ):
        with pytest.raises(Exception, match="permission denied"):
            async with db.transaction(organization_id=office.asker.someone.organization_id) as one:
                await one.execute(text(statement))


async def test_twenty_who_claim_at_once_get_each_another(
    office, browser_of, model, all_of_them, race
):
    organization = office.asker.someone.organization_id
    # Nobody may ask twenty times in a moment.
    colleague = await browser_of(await make_user(organization, password=False))
    for asker in (office.asker, colleague):
        for number in range(10):
            await asker.ask(await asker.new(), f"Number {number}?")
    third = await browser_of(await make_user(organization, role="reviewer", password=False))
    people = [office.reviewer, office.other, third]
    answers = await race(
        lambda client, _: client.post("/api/review/claim", json={}), *(one.client for one in people)
    )
    assert [one.status_code for one in answers] == [200] * 20
    assert len({one.json()["id"] for one in answers}) == 20
    more = await office.reviewer.client.post("/api/review/claim", json={})
    assert more.json()["type"] == "/problems/nothing-to-review"


async def test_twenty_decisions_of_one_look_are_one(office, model, all_of_them):
    await office.answer()
    one = await office.claimed()
    answers = await asyncio.gather(
        *(office.decide(office.reviewer, one, "approved") for _ in range(20))
    )
    assert sorted(one.status_code for one in answers) == [200] + [409] * 19
    assert len(await recorded(office.reviewer, "review.resolved")) == 1


async def test_the_most_pressing_comes_first(office, model, configure, all_of_them):
    _, sampled = await office.answer("Sampled?")
    configure(REVIEW_SAMPLE="{}")
    _, asked = await office.answer("Asked?")
    path = f"/api/review/asked/{asked}"
    answer = await office.asker.client.post(path, json={"comment": "Is that so?"})
    assert answer.status_code == 201
    assert [one["call_id"] for one in await office.queue()] == [asked, sampled]
    assert [one["call_id"] for one in await office.queue(reason="sampled")] == [sampled]
    [first] = await office.queue(limit=1)
    [second] = await office.queue(limit=1, before=first["id"])
    assert second["call_id"] == sampled
    taken = await office.claimed()
    assert (taken["call_id"], taken["words"]["comment"]) == (asked, "Is that so?")
    assert [one["call_id"] for one in await office.queue(show="mine")] == [asked]


async def test_what_was_taken_and_left_comes_back(office, model, database, all_of_them):
    await office.answer()
    one = await office.claimed()
    await move_back(database, 1, what="claimed_until")
    # It is no longer theirs, whether or not the job has run.
    assert (await office.decide(office.reviewer, one, "approved")).status_code == 409
    assert (await office.reviewer.client.get(f"/api/review/{one['id']}")).json()["words"] is None
    again = await office.claimed(office.other)
    assert again["id"] == one["id"]
    await move_back(database, 1, what="claimed_until")
    await jobs.give_back()
    [waiting] = await office.queue()
    assert (waiting["state"], waiting["claimed_by"]) == ("waiting", None)
    assert len(await recorded(office.reviewer, "review.given_back")) == 1


async def test_reviewers_are_told_once_of_what_is_overdue(
    office, browser_of, model, database, all_of_them
):
    elsewhere = await make_office(browser_of)
    await office.answer("A secret question?")
    await jobs.tell_overdue()
    assert await letters(office.reviewer) == []
    await move_back(database, 200)
    [late] = await office.queue(show="overdue")
    assert late["reason"] == "sampled"
    for _ in range(2):
        await jobs.tell_overdue()
    for reviewer in (office.reviewer, office.other):
        [letter] = await letters(reviewer)
        assert "1 answer waits for review longer than agreed" in letter.subject
        assert "/review?show=overdue" in letter.body
        assert "secret" not in letter.body
    assert await letters(office.asker) == await letters(elsewhere.reviewer) == []
    assert len(await recorded(office.reviewer, "review.overdue")) == 1


async def test_reviewers_are_told_that_somebody_waits_and_once_an_hour(
    office, model, database, configure
):
    configure(REVIEW_SAMPLE=ALL)
    _, call = await office.answer("A secret question?")
    await jobs.announce()
    assert await letters(office.reviewer) == []  # a sample presses nobody
    await office.asker.client.post(f"/api/review/asked/{call}", json={})
    await jobs.announce()
    [letter] = await letters(office.reviewer)
    assert "someone waits for a reviewer" in letter.subject
    assert "1 answer waits" in letter.body
    assert "secret" not in letter.body
    assert await letters(office.asker) == []
    _, call = await office.answer()
    await office.asker.client.post(f"/api/review/asked/{call}", json={})
    await jobs.announce()
    assert len(await letters(office.reviewer)) == 1
    await move_back(database, 2, what="announced_at")
    for _ in range(2):
        await jobs.announce()
    assert len(await letters(office.reviewer)) == 2


async def letters(browser):
    async with db.transaction(elevated=True) as session:
        found = await mail.inbox(session, browser.someone.email)
    return [one for one in found if "review" in one.subject]


async def test_nobody_looks_at_answers_of_their_own_unless_they_may(
    office, model, configure, all_of_them
):
    conversation = await office.other.new()
    await office.other.ask(conversation, "Am I right?")
    alone = await office.other.client.post("/api/review/claim", json={})
    assert alone.status_code == 404
    [one] = await office.queue()
    claim = await office.other.client.post(f"/api/review/{one['id']}/claim")
    assert claim.status_code == 409
    configure(REVIEW_SAMPLE=ALL, REVIEW_FOUR_EYES="false")
    assert (await office.claimed(office.other))["id"] == one["id"]


async def test_old_ones_are_deleted(office, model, database, all_of_them):
    import psycopg

    await office.answer()
    await jobs.forget_old()
    assert len(await office.queue()) == 1
    with psycopg.connect(database.admin) as admin:
        admin.execute("UPDATE review_items SET created_at = created_at - interval '181 days'")
    await jobs.forget_old()
    assert await office.queue() == []


async def test_a_deadline_follows_its_reason(office, model, configure):
    configure(REVIEW_SAMPLE=ALL, REVIEW_HOURS='{"sampled": 2}')
    await office.answer()
    [one] = await office.queue()
    from datetime import datetime

    made, due = (datetime.fromisoformat(one[name]) for name in ("created_at", "due_at"))
    assert abs((due - made).total_seconds() - 7200) < 60


def test_the_schedule_has_the_jobs():
    known = {name for name, _ in jobs_queue.SCHEDULES}
    assert {
        "review.announce",
        "review.tell_overdue",
        "review.give_back",
        "review.forget_old",
    } <= known
