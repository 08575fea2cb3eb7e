"""Who is let in as a directory, and what is refused of what it sends."""

import pytest

from tests.factories import make_user, sign_in
from tests.scim.test_directory import grace, member, patch, rows


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer scim_", "Basic c2NpbTo=", "Bearer x"]
)
async def test_without_a_token_nothing_opens(client, header):
    headers = {"Authorization": header} if header is not None else {}
    for path in ("/Users", "/Groups", "/Schemas", "/ServiceProviderConfig", "/nothing"):
        answer = await client.get(f"/scim/v2{path}", headers=headers)
        assert answer.status_code == 401, path
        assert answer.json()["status"] == "401"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_who_may_end_a_token_is_told_that_it_was_made_and_by_whom(client, admin, mails_to):
    other = await make_user(admin.organization_id, role="admin")
    member, stranger = await make_user(admin.organization_id), await make_user(role="admin")
    await sign_in(client, admin)
    token = (await client.post("/api/scim/tokens")).json()["token"]

    for reader in (admin, other):
        [letter] = await mails_to(reader.email)
        assert "directory token" in letter.subject
        assert "Ada Lovelace made a token" in letter.body
        assert token not in letter.body
    assert not await mails_to(member.email)
    assert not await mails_to(stranger.email)


async def test_nobody_ends_the_token_of_another_organisation(client, token, directory):
    await sign_in(client, await make_user(role="admin"))
    [row] = await rows("SELECT id FROM scim_tokens ORDER BY created_at DESC LIMIT 1")
    assert (await client.delete(f"/api/scim/tokens/{row.id}")).status_code == 404
    assert (await directory("GET", "/Users")).status_code == 200


# What is sent -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({}, "invalidValue"),
        (grace(emails=[{"value": "no address"}]), "invalidValue"),
        (grace(userName=42), "invalidValue"),
        (grace(active="perhaps"), "invalidValue"),
        (grace(userName="x" * 2000), "invalidValue"),
        (grace(userName="nul\0"), "invalidValue"),
        ([], "invalidSyntax"),
    ],
    ids=range(7),
)
async def test_nonsense_is_refused_in_its_own_words(directory, content, kind):
    answer = await directory("POST", "/Users", content)
    assert (answer.status_code, answer.json()["scimType"]) == (400, kind)
    assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "replace", "path": "id", "value": "1"}, "mutability"),
        ({"op": "move", "path": "active"}, "invalidSyntax"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "path": "emails[", "value": "1"}, "invalidPath"),
        ({"op": "replace", "path": "name.nothing", "value": "1"}, "invalidPath"),
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
        ({"op": "replace", "value": []}, "invalidValue"),
    ],
    ids=str,
)
async def test_a_patch_that_cannot_be_is_refused_and_changes_nothing(directory, operation, kind):
    given = grace()
    made = (await directory("POST", "/Users", given)).json()
    off = {"op": "replace", "path": "active", "value": False}

    answer = await directory("PATCH", f"/Users/{made['id']}", patch(off, operation))

    assert (answer.status_code, answer.json()["scimType"]) == (400, kind)
    assert (await member(given["userName"])).suspended_at is None


async def test_what_we_do_not_keep_is_left_out(directory):
    given = grace(phoneNumbers=[{"value": "+1 555"}], password="hunter2")
    made = (await directory("POST", "/Users", given)).json()
    assert "phoneNumbers" not in made
    assert "password" not in made
    [row] = await rows(
        "SELECT p.id FROM users u LEFT JOIN passwords p ON p.user_id = u.id WHERE u.email = :e",
        e=given["userName"],
    )
    assert row.id is None
