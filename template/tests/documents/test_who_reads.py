"""Private, for roles, for the organisation: in lists, by id, in searches and in answers."""

import pytest
from sqlalchemy import text

from app.core import db
from app.documents import jobs
from tests.documents.conftest import TRAVEL, kept
from tests.factories import make_role, make_user

SECRET = "The merger with Zephyr Holdings closes in Lisbon on the ninth of March."
QUESTION = "When does the merger with Zephyr Holdings close?"


async def sees(browser, document: str) -> bool:
    """Whether someone meets a document in any way; all ways must agree."""
    by_id = (await browser.client.get(f"/api/documents/{document}")).status_code
    ways = {
        "id": by_id == 200,
        "list": bool(await browser.names()),
        "found": any("Zephyr" in one["text"] for one in await browser.search(QUESTION)),
        "file": (await browser.client.get(f"/api/documents/{document}/file")).status_code == 200,
        "text": (await browser.client.get(f"/api/documents/{document}/passages")).status_code
        == 200,
    }
    assert len(set(ways.values())) == 1, ways
    assert by_id in {200, 404}
    return ways["id"]


@pytest.mark.asvs("8.2.2", "8.4.1")
async def test_what_is_private_is_seen_by_nobody_else(people):
    document = await people["rita"].upload(SECRET)

    seen = {name: await sees(one, document) for name, one in people.items()}
    assert seen == {"ada": False, "bob": False, "rita": True, "root": False, "eve": False}


async def test_what_is_for_a_role_is_seen_by_those_who_have_it(people):
    document = await people["root"].upload(SECRET, audience="roles", roles=["reviewer"])

    seen = {name: await sees(one, document) for name, one in people.items()}
    assert seen == {"ada": False, "bob": False, "rita": True, "root": True, "eve": False}


async def test_what_is_for_a_custom_role_is_seen_by_its_members(people, browser_of):
    organization = people["root"].someone.organization_id
    role = await make_role(organization, ["documents.read", "assistant.use", "account.read"])
    leo = await browser_of(await make_user(organization, role=role, password=False))
    document = await people["root"].upload(SECRET, audience="roles", roles=[role])

    assert await sees(leo, document)
    assert not await sees(people["rita"], document)


async def test_what_is_for_the_organisation_is_seen_by_all_of_it_and_nobody_else(people):
    document = await people["rita"].upload(SECRET, audience="organization")

    seen = {name: await sees(one, document) for name, one in people.items()}
    assert seen == {"ada": True, "bob": True, "rita": True, "root": True, "eve": False}


async def test_sharing_and_taking_back_hold_at_once(people):
    rita, bob = people["rita"], people["bob"]
    document = await rita.upload(SECRET)
    for audience, seen in (("organization", True), ("person", False)):
        changed = await rita.client.patch(f"/api/documents/{document}", json={"audience": audience})
        assert changed.status_code == 200, changed.text
        assert await sees(bob, document) is seen


async def test_whoever_is_suspended_or_loses_the_role_sees_nothing_any_more(people):
    rita, root = people["rita"], people["root"]
    document = await root.upload(SECRET, audience="roles", roles=["reviewer"])
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE memberships SET role = 'member' WHERE user_id = :one"),
            {"one": rita.someone.user_id},
        )
    assert not await sees(rita, document)


async def test_members_share_nothing_and_nobody_shares_with_roles_that_are_not_there(people):
    for audience in ("organization", "roles"):
        sent = await people["ada"].send(TRAVEL, audience=audience, roles=["member"])
        assert sent.status_code == 403
        assert sent.json()["type"] == "/problems/sharing-not-permitted"
    theirs = await make_role(people["eve"].someone.organization_id, ["documents.read"])
    for roles in ([], ["nobody"], [theirs], ["member", "nobody"]):
        sent = await people["rita"].send(TRAVEL, audience="roles", roles=roles)
        assert sent.status_code == 422, roles


async def test_only_the_owner_or_a_manager_changes_a_document(people):
    document = await people["rita"].upload(SECRET, audience="organization")
    for name, allowed in {"ada": 403, "eve": 404, "root": 200}.items():
        client = people[name].client
        changed = await client.patch(
            f"/api/documents/{document}", json={"audience": "organization"}
        )
        assert changed.status_code == allowed, name
    taken = await people["root"].client.patch(
        f"/api/documents/{document}", json={"audience": "person"}
    )
    assert taken.status_code == 403
    assert (await people["ada"].client.delete(f"/api/documents/{document}")).status_code == 403
    assert (await people["eve"].client.delete(f"/api/documents/{document}")).status_code == 404
    assert (await people["root"].client.delete(f"/api/documents/{document}")).status_code == 204


async def test_nobody_replaces_what_is_not_theirs(people):
    document = await people["rita"].upload(SECRET, audience="organization")
    assert (await people["ada"].send(TRAVEL, replaces=document)).status_code == 403
    assert (await people["eve"].send(TRAVEL, replaces=document)).status_code == 404


@pytest.mark.asvs("8.4.1")
async def test_the_database_itself_keeps_documents_apart(people):
    """As the app's own role, with the whole table asked for."""
    await people["rita"].upload(SECRET)
    bob = people["bob"].someone
    async with db.transaction(organization_id=bob.organization_id, user_id=bob.user_id) as session:
        for table in ("documents", "passages"):
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
        changed = await session.execute(text("UPDATE documents SET audience = 'organization'"))
        assert changed.rowcount == 0
        gone = await session.execute(text("DELETE FROM documents"))
        assert gone.rowcount == 0


async def test_keys_and_vectors_are_not_the_app_s_to_write(people):
    await people["rita"].upload(SECRET)
    rita = people["rita"].someone
    for statement in ("UPDATE passages SET text = ''", "DELETE FROM passages",
                      "SELECT * FROM removed_files"):  # fmt: skip
        with pytest.raises(Exception, match="permission denied"):
            async with db.transaction(
                organization_id=rita.organization_id, user_id=rita.user_id
            ) as session:
                await session.execute(text(statement))


async def test_figures_are_for_managers_and_tell_counts_only(people):
    await people["rita"].upload(SECRET)
    await people["ada"].upload("city,price\nLisbon,12\nPorto,\nFaro,cheap\n" * 1, "p.csv")
    for name in ("ada", "rita"):
        assert (await people[name].client.get("/api/documents/figures")).status_code == 403
    told = await people["root"].client.get("/api/documents/figures")
    figures = told.json()
    assert (figures["ready"], figures["refused"], figures["waiting"]) == (2, 0, 0)
    assert figures["completeness"] == pytest.approx(5 / 6)
    assert figures["timeliness"] == 1
    assert figures["passages"] == 2
    assert "Zephyr" not in told.text
    assert (await people["eve"].client.get("/api/documents/figures")).json()["ready"] == 0


async def test_private_documents_of_people_who_are_gone_are_deleted_with_their_files(people, files):
    document = await people["ada"].upload(SECRET)
    await people["bob"].upload(f"{SECRET} Bob knows it, too.")
    shared = await people["rita"].upload(TRAVEL, audience="organization")
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("DELETE FROM users WHERE id = ANY(:gone)"),
            {"gone": [people[name].someone.user_id for name in ("ada", "rita")]},
        )
        # Who also belongs to another organisation leaves this one and keeps the account.
        await session.execute(
            text("DELETE FROM memberships WHERE user_id = :left"),
            {"left": people["bob"].someone.user_id},
        )
    await jobs.sweep()
    await jobs.remove_files()

    root = people["root"]
    assert (await root.client.get(f"/api/documents/{document}")).status_code == 404
    assert await root.names() == ["travel.txt"]
    assert (await people["root"].get(shared))["owner_id"] is None
    assert len(kept(files)) == 1
