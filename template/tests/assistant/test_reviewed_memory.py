"""What people found wrong is not remembered."""

import psycopg
from sqlalchemy import select

from app.assistant import memory
from app.assistant.models import Conversation
from app.core import db
from app.llm.port import Message
from tests.review.conftest import office as office
from tests.review.conftest import says
from tests.usage.conftest import person_of


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
