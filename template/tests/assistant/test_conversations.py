from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text

from app.core import db
from app.core.ids import uuid7
from tests.asking import turns_in_order
from tests.factories import Someone, make_organization, make_user, sign_in


@pytest.fixture
async def someone(client: httpx2.AsyncClient) -> Someone:
    made = await make_user(password=False)
    await sign_in(client, made)
    return made


async def new(client: httpx2.AsyncClient, title: str | None = None) -> str:
    made = await client.post("/api/conversations", json={"title": title} if title else {})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def titles(client: httpx2.AsyncClient, **query: object) -> list[str]:
    page = (await client.get("/api/conversations", params=query)).json()
    return [one["title"] for one in page["conversations"]]


async def test_a_conversation_is_made_read_renamed_and_deleted(client, someone):
    made = await client.post("/api/conversations", json={"title": "  Moons "})
    assert made.json()["title"] == "Moons"
    path = f"/api/conversations/{made.json()['id']}"
    read = (await client.get(path)).json()
    assert (read["title"], read["messages"], read["earlier"]) == ("Moons", [], None)
    renamed = await client.patch(path, json={"title": "Rings"})
    assert renamed.json()["title"] == "Rings"
    assert (await client.get(path)).json()["title"] == "Rings"
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.delete(path)).status_code == 404


@pytest.mark.parametrize("title", ["", "   ", "x" * 121])
async def test_a_title_has_1_to_120_characters(client, someone, title):
    conversation = await new(client, "Moons")
    path = f"/api/conversations/{conversation}"
    assert (await client.patch(path, json={"title": title})).status_code == 422
    assert (await client.get(path)).json()["title"] == "Moons"


async def test_the_one_that_was_used_last_comes_first(client, someone):
    for title in ("one", "two", "three"):
        await new(client, title)
    async with db.transaction(
        organization_id=someone.organization_id, user_id=someone.user_id
    ) as session:
        await session.execute(
            text("UPDATE conversations SET updated_at = now() + '1 s' WHERE title = 'one'")
        )
    assert await titles(client) == ["one", "three", "two"]


async def test_pages_of_the_list_follow_each_other_without_a_gap(client, someone):
    for number in range(7):
        await new(client, str(number))
    # All at the same moment: then the id decides.
    async with db.transaction(
        organization_id=someone.organization_id, user_id=someone.user_id
    ) as session:
        await session.execute(text("UPDATE conversations SET updated_at = now()"))
    seen, after = [], {}
    for _ in range(4):
        page = (await client.get("/api/conversations", params={"limit": 2, **after})).json()
        seen += [one["title"] for one in page["conversations"]]
        after = {"after": page["next"]}
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    assert page["next"] is None


@pytest.mark.parametrize(
    "after",
    ["nonsense", "2026-01-01T00:00:00Z_", f"_{UUID(int=0)}", "x" * 81],
)
async def test_a_place_in_the_list_that_is_none_is_refused(client, someone, after):
    assert (await client.get("/api/conversations", params={"after": after})).status_code == 422


async def test_long_conversations_are_read_in_pages_of_whole_turns(client, someone):
    conversation = await new(client, "Long")
    async with db.transaction(
        organization_id=someone.organization_id, user_id=someone.user_id
    ) as session:
        for number, turn in enumerate(turns_in_order(5)):
            for role in ("user", "assistant"):
                await session.execute(
                    text(
                        "INSERT INTO messages (id, conversation_id, organization_id, user_id,"
                        " turn_id, role, text, state, metadata) VALUES (:id, :conversation,"
                        " :organization, :person, :turn, :role, :text, 'complete', '{}')"
                    ),
                    {
                        "id": turn if role == "user" else uuid7(),
                        "conversation": conversation,
                        "organization": someone.organization_id,
                        "person": someone.user_id,
                        "turn": turn,
                        "role": role,
                        "text": f"{role} {number}",
                    },
                )
    path = f"/api/conversations/{conversation}"
    newest = (await client.get(path, params={"limit": 2})).json()
    assert [one["text"] for one in newest["messages"]] == [
        "user 3",
        "assistant 3",
        "user 4",
        "assistant 4",
    ]
    query = {"limit": 3, "before": newest["earlier"]}
    oldest = (await client.get(path, params=query)).json()
    assert [one["text"] for one in oldest["messages"]] == [
        f"{role} {number}" for number in range(3) for role in ("user", "assistant")
    ]
    assert oldest["earlier"] is None


async def test_without_signing_in_nothing_is_open(client):
    for method, path in (
        ("GET", "/api/conversations"),
        ("POST", "/api/conversations"),
        ("GET", f"/api/conversations/{uuid7()}"),
        ("POST", f"/api/conversations/{uuid7()}/messages"),
    ):
        answer = await client.request(method, path, json={"text": "Hello?"})
        assert answer.status_code == 401


async def test_a_conversation_goes_with_the_person(client, someone):
    organization = await make_organization()
    admin = await make_user(organization, role="admin", password=False)
    leaver = await make_user(organization, password=False)
    await sign_in(client, leaver)
    await new(client, "Mine")
    await sign_in(client, admin)
    assert (await client.delete(f"/api/users/{leaver.user_id}")).status_code == 204
    async with db.transaction(organization_id=organization.id, user_id=leaver.user_id) as session:
        assert await session.scalar(text("SELECT count(*) FROM conversations")) == 0
