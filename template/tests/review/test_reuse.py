"""What people found wrong is neither given again nor remembered."""

import psycopg
import pytest
from sqlalchemy import select

from app.assistant import memory
from app.assistant.models import Conversation
from app.core import db
from app.llm.port import Message
from tests.assistant.conftest import text_of
from tests.cache.conftest import kept
from tests.review.conftest import says
from tests.usage.conftest import person_of


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


async def test_a_summary_that_holds_it_is_made_anew(office, model, configure, database):
    configure(REVIEW_SAMPLE='{"assistant": 1}')
    conversation, _ = await office.answer()
    turn = (await office.asker.messages(conversation))[0]["turn_id"]
    later = (await office.answer("Another?"))[0]
    with psycopg.connect(database.admin) as admin:
        admin.execute(
            "UPDATE conversations SET memory = 'Ten moons.', memory_until = %s WHERE id = ANY(%s)",
            [turn, [conversation, later]],
        )
    await office.resolved("corrected", correction="95.")
    async with db.transaction(
        organization_id=office.asker.someone.organization_id,
        user_id=office.asker.someone.user_id,
    ) as session:
        found = {str(one.id): one.memory for one in await session.scalars(select(Conversation))}
    assert found == {conversation: "", later: "Ten moons."}


async def test_a_summary_needs_nobody_to_look_at_it(office, model, configure):
    configure(GUARDRAILS_REVIEW_WORDS='["dose"]')
    model.behaviour = says("They spoke ", "of a dose.")
    said = [Message("user", "Which dose?"), Message("assistant", "A small dose.")]
    text, count = await memory._summarised(person_of(office.asker.someone), "", said)
    assert (text, count) == ("They spoke of a dose.", 2)
    assert await office.queue() == []
