"""Tasks, and which of them count as solved."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.core import db
from app.core.clock import now
from tests.factories import make_organization, make_user, sign_in
from tests.feedback.conftest import call_of

START = now().replace(hour=8, minute=0) - timedelta(days=2)

NOTED = text("""
    INSERT INTO monitoring_calls (id, created_at, organization_id, feature, provider, model, prompt,
        outcome, guard, declined, question_characters, answer_characters, language, topic, asker)
    VALUES (:id, :at, :organization, 'chat', 'p', 'm', '', :outcome, '', :declined, 10, 10, 'en', 1,
        :asker)
""")


@pytest.fixture
async def team(app):
    organization = await make_organization()
    return organization, await make_user(organization, role="admin", password=False)


@pytest.fixture
def asks(team, client):
    """`asks(asker, minute, ...)` is one call of a person; `thumb` is what they said of it."""
    organization, admin = team

    async def ask(asker, minute, *, thumb="", outcome="answered", declined=False, escalated=False):
        call = await call_of(admin)
        values = {
            "id": call,
            "at": START + timedelta(minutes=minute),
            "organization": organization.id,
            "outcome": outcome,
            "declined": declined,
            "asker": asker,
        }
        async with db.transaction(
            organization_id=organization.id, user_id=admin.user_id
        ) as session:
            await session.execute(NOTED, values)
            await session.execute(
                text("UPDATE usage_records SET created_at = :at WHERE id = :id"),
                {"at": values["at"], "id": call},
            )
            if escalated:
                await session.execute(
                    text("""
                        INSERT INTO review_items (id, organization_id, user_id, call_id, feature,
                            model, prompt, reason, sampled, withheld, question, answer, sources,
                            guards, signals)
                        VALUES (gen_random_uuid(), :organization, :user, :id, 'chat', 'm', '',
                            'asked', false, false, '', '', '[]', '{}', '{}')
                    """),
                    {"organization": organization.id, "user": admin.user_id, "id": call},
                )
        if thumb:
            await sign_in(client, admin)
            said = await client.put(f"/api/feedback/{call}", json={"rating": thumb})
            assert said.status_code == 200

    return ask


async def test_a_task_is_solved_by_a_thumb_up_or_an_answer_that_nobody_complained_of(
    team, asks, client, configure
):
    _, admin = team
    await asks(1, 0)  # Answered, nothing said: solved.
    await asks(2, 0, outcome="failed")
    await asks(2, 5)  # Asked again, and answered: one task, solved.
    await asks(2, 60, outcome="refused")  # After a pause: another one, not solved.
    await asks(3, 0, thumb="down")
    await asks(4, 0, thumb="down")
    await asks(4, 3, thumb="up")  # In the end it was good.
    await asks(5, 0, declined=True)
    await asks(6, 0, escalated=True)
    await asks(7, 0, declined=True, thumb="up")
    configure(MONITORING_MINUTES_PER_TASK=6)
    await sign_in(client, admin)
    [chat] = (await client.get("/api/monitoring/value?days=7")).json()
    assert (chat["tasks"], chat["calls"]) == (8, 10)
    assert chat["solved"] == 4
    assert (chat["escalated"], chat["thumbs_down"]) == (1, 1)
    assert chat["microdollars"] == 10 * 500
    assert chat["microdollars_per_solved"] == 1250
    assert chat["minutes_saved"] == 24
    await sign_in(client, await make_user(role="admin"))
    assert (await client.get("/api/monitoring/value")).json() == []
