"""A conversation is its owner's: neither colleagues nor administrators nor strangers read it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.core import db
from tests.factories import make_organization, make_user
from tests.llm.wire_server import WORDS

SECRET = "My salary is Xylophone-sized."


@pytest.fixture
async def owner(browser_of, model):
    """Someone who has asked something."""
    organization = await make_organization()
    made = await browser_of(await make_user(organization, password=False))
    made.conversation = await made.new()
    await made.ask(made.conversation, SECRET, key="k1")
    return made


@pytest.fixture(params=["colleague", "administrator", "stranger"])
async def other(request, owner, browser_of):
    organization_id = owner.someone.organization_id
    role = "admin" if request.param == "administrator" else "member"
    if request.param == "stranger":
        organization_id, role = None, "admin"
    return await browser_of(await make_user(organization_id, role=role, password=False))


async def test_others_do_not_find_it_in_their_list(owner, other):
    listed = (await other.client.get("/api/conversations")).json()
    assert listed["conversations"] == []
    page = await other.client.get("/chat")
    assert owner.conversation not in page.text


@pytest.mark.asvs("8.2.2")
async def test_others_do_not_reach_it_by_its_id(owner, other):
    path = f"/api/conversations/{owner.conversation}"
    for method, body in (("GET", None), ("PATCH", {"title": "Mine"}), ("DELETE", None)):
        answer = await other.client.request(method, path, json=body)
        assert answer.status_code == 404
        assert SECRET not in answer.text
    for path, method in (("", "GET"), ("/rename", "POST"), ("/delete", "POST")):
        answer = await other.client.request(
            method, f"/chat/{owner.conversation}{path}", data={"title": "Mine"} if path else None
        )
        assert answer.status_code == 404
    assert await owner.said(owner.conversation) == [
        ("user", SECRET, "complete"),
        ("assistant", "".join(WORDS), "complete"),
    ]


async def test_others_cannot_go_on_with_it(owner, other, model):
    asked = len(model.requests)
    for key in (None, "k1"):
        status, _ = await other.refused(owner.conversation, SECRET, key=key)
        assert status == 404
    assert len(model.requests) == asked


async def test_others_cannot_rate_its_answers(owner, other):
    call = (await owner.messages(owner.conversation))[1]["call_id"]
    sent = {"rating": "down"}
    assert (await other.client.put(f"/api/feedback/{call}", json=sent)).status_code == 404
    assert (await owner.client.put(f"/api/feedback/{call}", json=sent)).status_code == 200


async def test_a_key_used_by_one_means_nothing_for_others(owner, other, model):
    conversation = await other.new()
    events = await other.ask(conversation, "Hello?", key="k1")
    assert events[-1][0] == "done"
    assert model.requests[-1].body["messages"][1:] == [{"role": "user", "content": "Hello?"}]


@pytest.mark.parametrize("table", ["conversations", "messages"])
async def test_the_database_itself_shows_it_to_nobody_else(owner, other, table):
    whole = text(f"SELECT count(*) FROM {table}")
    own = {"organization_id": owner.someone.organization_id, "user_id": owner.someone.user_id}
    async with db.transaction(**own) as session:
        assert await session.scalar(whole) > 0
    for context in (
        {},
        {"organization_id": own["organization_id"]},
        {"user_id": own["user_id"]},
        own | {"user_id": other.someone.user_id},
        own | {"organization_id": (await make_organization()).id},
    ):
        async with db.transaction(**context) as session:
            assert await session.scalar(whole) == 0, context


@pytest.mark.parametrize("column", ["conversations.title", "messages.text", "messages.metadata"])
async def test_the_role_that_finds_people_reads_nothing_of_it(column):
    table, _, name = column.partition(".")
    async with db.transaction(elevated=True) as session:
        with pytest.raises(ProgrammingError, match="permission denied"):
            await session.execute(text(f"SELECT {name} FROM {table}"))


async def test_the_audit_log_holds_nothing_that_was_said(owner):
    call = (await owner.messages(owner.conversation))[1]["call_id"]
    await owner.client.put(
        f"/api/feedback/{call}", json={"rating": "down", "comment": "Wrong about the Xylophone."}
    )
    async with db.transaction(organization_id=owner.someone.organization_id) as session:
        log = await session.scalar(text("SELECT string_agg(e::text, '') FROM audit_events e"))
    assert "feedback.given" in log
    # A word no digest or id can hold by chance.
    assert "ylophone" not in log
