"""A person gets what is held about them as a file: theirs alone, for a while, after a proof."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.core import db
from app.core.clock import now
from app.core.crypto import encrypt
from app.core.ids import uuid7
from app.jobs.queue import run_until_empty
from app.mail import service as mail
from app.own_data import collecting, jobs, service
from app.own_data.models import DataExport
from app.own_data.service import BEING_MADE, PIECE
from tests.factories import make_organization, make_user, sign_in
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.usage.conftest import person_of

PATH = "/api/own-data"


async def made(client) -> str:
    asked = await client.post(PATH)
    assert asked.status_code == 202, asked.text
    await jobs.collect(UUID(asked.json()["id"]))
    return f"{PATH}/{asked.json()['id']}/file"


async def test_a_person_gets_all_that_is_held_about_them_and_nothing_of_others(client, app):
    organization = await make_organization()
    ada = await make_user(organization, display_name="Ada Lovelace")
    other = await make_user(organization, display_name="Grace Hopper")
    stranger = await make_user(display_name="Alan Turing")
    for someone in (other, stranger, ada):
        await sign_in(client, someone)
    file = await client.get(await made(client))
    assert file.status_code == 200
    assert file.headers["content-disposition"].startswith("attachment")
    found = json.loads(file.text)
    tables = found["tables"]
    assert tables.keys() == {table.name for table, *_ in collecting.own_tables()}
    assert [one["email"] for one in tables["users"]] == [ada.email]
    assert [one["user_id"] for one in tables["memberships"]] == [str(ada.user_id)]
    assert len(tables["passwords"]) == 1
    assert "hash" not in tables["passwords"][0]
    assert {one["user_id"] for one in tables["sessions"]} == {str(ada.user_id)}
    assert "token_digest" not in tables["sessions"][0]
    assert "own_data.asked" in {one["action"] for one in tables["audit_events"]}
    assert found["organization"] == organization.name
    assert found["left_out"] == collecting.WITHOUT
    for someone in (other, stranger):
        assert someone.email not in file.text
        assert str(someone.user_id) not in file.text


async def test_of_each_table_the_rows_of_the_person_are_read(client, app):
    """What is read in the wrong role is silently empty."""
    ada = await make_user(role="admin")
    await sign_in(client, ada)
    file = await made(client)
    found = json.loads((await client.get(file)).text)["tables"]
    async with db.transaction(elevated=True) as session:
        for table, _, column, key in collecting.own_tables():
            may = text("SELECT has_table_privilege('app_auth', :name, 'SELECT')")
            if not await session.scalar(may, {"name": table.name}):
                continue
            of = {"id": ada.user_id, "email": ada.email}[key]
            counted = f"SELECT count(*) FROM {table.name} WHERE {column} = :of"
            there = await session.scalar(text(counted), {"of": of})
            # What was written for the file itself came after it was read.
            assert len(found[table.name]) >= there - 3, table.name


async def test_tables_that_are_read_in_pieces_are_read_whole(new_browser, app, monkeypatch):
    ada = await make_user()
    for _ in range(5):
        async with new_browser() as browser:
            await sign_in(browser, ada)

    async def read():
        return await collecting.collect(
            ada.organization_id, ada.user_id, ada.email, most=10_000_000
        )

    whole = await read()
    assert len(whole["sessions"]) == 5
    for at_once in (1, 2, 5):
        monkeypatch.setattr(collecting, "ROWS_AT_ONCE", at_once)
        assert await read() == whole


async def test_nobody_else_gets_it_and_after_its_time_nobody(client, app, new_browser):
    organization = await make_organization()
    ada, admin = await make_user(organization), await make_user(organization, role="admin")
    await sign_in(client, ada)
    file = await made(client)
    for someone in (admin, await make_user(role="admin")):
        async with new_browser() as other:
            await sign_in(other, someone)
            assert (await other.get(file)).status_code == 404
            assert (await other.get(PATH)).json() == []
    [one] = (await client.get(PATH)).json()
    assert (one["state"], one["size"]) == ("ready", len((await client.get(file)).content))
    async with db.transaction(elevated=True) as session:
        await session.execute(text("UPDATE data_exports SET expires_at = now()"))
    assert (await client.get(file)).status_code == 404
    assert (await client.get(PATH)).json() == []
    await jobs.forget()
    async with db.transaction(elevated=True) as session:
        left = text("SELECT count(*) FROM data_exports WHERE user_id = :id")
        assert await session.scalar(left, {"id": ada.user_id}) == 0


async def test_whoever_has_not_proved_it_is_they_gets_nothing(client, app):
    ada = await make_user()
    await sign_in(client, ada)
    file = await made(client)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE sessions SET authenticated_at = now() - interval '1 day'"
                " WHERE user_id = :id"
            ),
            {"id": ada.user_id},
        )
    assert (await client.get(file)).status_code == 403
    assert (await client.post(PATH)).status_code == 403
    assert len((await client.get(PATH)).json()) == 1


async def test_it_is_encrypted_told_by_mail_and_in_the_audit_log_and_made_once(client, app):
    ada = await make_user(role="admin")
    await sign_in(client, ada)
    await client.post(PATH)
    again = await client.post(PATH)
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "being-made")
    await run_until_empty()
    [one] = (await client.get(PATH)).json()
    await jobs.collect(UUID(one["id"]))
    await client.get(f"{PATH}/{one['id']}/file")
    async with db.transaction(elevated=True) as session:
        kept = text("SELECT content FROM data_exports WHERE id = :id")
        assert ada.email.encode() not in await session.scalar(kept, {"id": UUID(one["id"])})
        letters = await mail.inbox(session, to=ada.email)
    assert [letter.subject.rpartition(": ")[2] for letter in letters] == ["your data is ready"]
    for action in ("own_data.asked", "own_data.taken"):
        events = (await client.get("/api/audit", params={"action": action})).json()["events"]
        assert [event["target"] for event in events] == [one["id"]]


async def test_more_than_one_file_takes_is_told(client, app, configure):
    configure(OWN_DATA_LARGEST_BYTES=1024)
    await sign_in(client, await make_user())
    file = await made(client)
    assert (await client.get(file)).status_code == 404
    assert [one["state"] for one in (await client.get(PATH)).json()] == ["failed"]


async def test_of_too_much_no_more_is_read_than_tells_so(client, app):
    ada = await make_user()
    await sign_in(client, ada)
    whose = (ada.organization_id, ada.user_id, ada.email)
    whole = await collecting.collect(*whose, most=1_000_000)
    assert whole["users"]
    assert whole["sessions"]
    with pytest.raises(collecting.TooMuch):
        await collecting.collect(*whose, most=len(json.dumps(whole)) // 2)


async def test_what_is_encrypted_is_opened(client, app):
    ada = await make_user()
    await sign_in(client, ada)
    first = await made(client)
    # The mail that tells of it is encrypted, but for whom it is to.
    column = DataExport.__table__.columns["content"]
    async with db.transaction(elevated=True) as session:
        query = select(DataExport.id, DataExport.content).where(DataExport.user_id == ada.user_id)
        row = (await session.execute(query)).mappings().one()
    opened = collecting._plain(row["content"], column, {column.table.columns["id"]: row["id"]})
    assert json.loads(opened) == json.loads((await client.get(first)).text)
    moved = {column.table.columns["id"]: uuid7()}
    assert collecting._plain(row["content"], column, moved) is None


async def test_it_is_asked_for_once_at_a_time_and_again_when_nobody_makes_it(client, app):
    ada = await make_user()
    await sign_in(client, ada)
    assert (await client.post(PATH)).status_code == 202
    assert (await client.post(PATH)).status_code == 409
    async with db.transaction(elevated=True) as session:
        long_ago = now() - BEING_MADE - timedelta(minutes=1)
        mine = update(DataExport).where(DataExport.user_id == ada.user_id)
        await session.execute(mine.values(created_at=long_ago))
    assert (await client.post(PATH)).status_code == 202


async def a_large_one(ada, body: bytes) -> UUID:
    made_id = uuid7()
    async with db.transaction(elevated=True) as session:
        session.add(
            DataExport(
                id=made_id,
                organization_id=ada.organization_id,
                user_id=ada.user_id,
                state="ready",
                content=encrypt(body.decode(), f"data_exports.content:{made_id}"),
                size=len(body),
                expires_at=now() + timedelta(hours=1),
            )
        )
    return made_id


async def test_a_large_one_is_opened_and_sent_in_pieces(client, app):
    """As one it held up everybody else for a quarter of a second."""
    ada = await make_user()
    await sign_in(client, ada)
    body = b"0123456789" * (PIECE // 2)
    made_id = await a_large_one(ada, body)
    async with client.stream("GET", f"{PATH}/{made_id}/file") as answer:
        pieces = [one async for one in answer.aiter_raw()]
    assert answer.headers["content-length"] == str(len(body))
    assert b"".join(pieces) == body
    person, whose = person_of(ada), (ada.organization_id, ada.user_id)
    async with db.transaction(organization_id=whose[0], user_id=whose[1]) as session:
        found = await service.file(session, person, made_id)
    assert len(found) >= 5
    assert max(map(len, found)) <= PIECE


async def test_nothing_of_a_file_that_was_changed_leaves(client, app):
    ada = await make_user()
    await sign_in(client, ada)
    made_id = await a_large_one(ada, b"0123456789" * (PIECE // 2))
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE data_exports SET content ="
                " set_byte(content, octet_length(content) - 20, 0) WHERE id = :id"
            ),
            {"id": made_id},
        )
    answer = await client.get(f"{PATH}/{made_id}/file")
    assert answer.status_code == 500
    assert "0123456789" not in answer.text
