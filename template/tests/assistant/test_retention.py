import pytest
from sqlalchemy import text

from app.assistant.jobs import forget_old
from app.audit import service as audit
from app.core import db
from tests.factories import Someone, make_user


async def make_conversation(someone: Someone, title: str, *, days_ago: float) -> None:
    async with db.transaction(
        organization_id=someone.organization_id, user_id=someone.user_id
    ) as session:
        made = await session.scalar(
            text(
                "INSERT INTO conversations (id, organization_id, user_id, title, updated_at)"
                " VALUES (gen_random_uuid(), :organization, :person, :title,"
                " now() - make_interval(secs => :seconds)) RETURNING id"
            ),
            {
                "organization": someone.organization_id,
                "person": someone.user_id,
                "title": title,
                "seconds": days_ago * 86400,
            },
        )
        await session.execute(
            text(
                "INSERT INTO messages (id, conversation_id, organization_id, user_id, turn_id,"
                " role, text, state, metadata) VALUES (gen_random_uuid(), :conversation,"
                " :organization, :person, gen_random_uuid(), 'user', 'Hello?', 'complete', '{}')"
            ),
            {
                "conversation": made,
                "organization": someone.organization_id,
                "person": someone.user_id,
            },
        )


async def left(someone: Someone) -> tuple[list[str], int]:
    """The titles of someone's conversations, and how many messages they have."""
    async with db.transaction(
        organization_id=someone.organization_id, user_id=someone.user_id
    ) as session:
        titles = await session.scalars(text("SELECT title FROM conversations ORDER BY title"))
        count = await session.scalar(text("SELECT count(*) FROM messages"))
    return list(titles), count


async def expired(someone: Someone) -> list[dict]:
    async with db.transaction(organization_id=someone.organization_id) as session:
        wanted = audit.Filter(action="conversation.expired")
        page = await audit.search(session, someone.organization_id, wanted)
    return [event.detail for event in page.events]


@pytest.fixture
async def two_people() -> tuple[Someone, Someone]:
    """Of two organisations, each with an old and a newer conversation."""
    people = (await make_user(password=False), await make_user(password=False))
    for someone in people:
        await make_conversation(someone, "new", days_ago=29.9)
        await make_conversation(someone, "old", days_ago=30.1)
    return people


async def test_what_is_too_old_is_deleted_in_every_organisation(two_people, configure):
    configure(ASSISTANT_RETENTION_DAYS=30)
    await forget_old()
    for someone in two_people:
        assert await left(someone) == (["new"], 1)


async def test_the_audit_log_of_each_organisation_counts_what_was_deleted(two_people, configure):
    configure(ASSISTANT_RETENTION_DAYS=30)
    await make_conversation(two_people[0], "older", days_ago=400)
    await forget_old()
    assert await expired(two_people[0]) == [{"conversations": 2, "days": 30}]
    assert await expired(two_people[1]) == [{"conversations": 1, "days": 30}]
    await forget_old()
    assert len(await expired(two_people[0])) == 1


async def test_with_0_days_everything_is_kept(two_people, configure):
    configure(ASSISTANT_RETENTION_DAYS=0)
    await forget_old()
    assert await left(two_people[0]) == (["new", "old"], 2)
