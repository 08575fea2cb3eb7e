"""What a directory does with the people of its organisation, over HTTP."""

import asyncio
import secrets

import pytest
from sqlalchemy import text

from app.auth.models import Password
from app.auth.passwords import hash_password
from app.core import db
from app.limits.service import Rate
from app.scim import probing
from app.users import inviting
from tests.factories import PASSWORD, make_user
from tests.scim.conftest import make_token

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def grace(**more):
    email = f"grace.{secrets.token_hex(6)}@example.com"
    return {
        "schemas": [USER],
        "externalId": secrets.token_hex(8),
        "userName": email,
        "name": {"givenName": "Grace", "familyName": "Hopper"},
        "emails": [{"value": email, "type": "work", "primary": True}],
        "active": True,
    } | more


def patch(*operations):
    return {"schemas": [PATCH], "Operations": list(operations)}


async def rows(statement, **values):
    async with db.transaction(elevated=True) as session:
        return (await session.execute(text(statement), values)).all()


async def member(email):
    [row] = await rows(
        "SELECT u.id, u.email, u.display_name, u.activated_at, m.role, m.suspended_at,"
        " m.organization_id FROM users u JOIN memberships m ON m.user_id = u.id"
        " WHERE u.email = :e",
        e=email,
    )
    return row


async def test_a_new_person_becomes_a_member(directory, admin):
    given = grace()

    made = await directory("POST", "/Users", given)

    assert made.status_code == 201
    assert made.headers["content-type"] == "application/scim+json"
    assert made.json()["meta"]["location"] == made.headers["location"]
    row = await member(given["userName"])
    assert (row.display_name, row.role) == ("Grace Hopper", "member")
    assert row.organization_id == admin.organization_id
    assert str(row.id) == made.json()["id"]


async def test_a_directory_finds_by_name_as_entra_and_okta_ask(directory, admin):
    given = grace()
    made = (await directory("POST", "/Users", given)).json()

    for expression in (
        f'userName eq "{given["userName"].upper()}"',
        f'externalId eq "{given["externalId"]}"',
        f'emails[type eq "work"].value eq "{given["userName"]}"',
        f'id eq "{made["id"]}"',
    ):
        found = (await directory("GET", "/Users", params={"filter": expression})).json()
        assert [one["id"] for one in found["Resources"]] == [made["id"]], expression
    # It adopts who is here already.
    found = await directory("GET", "/Users", params={"filter": f'userName eq "{admin.email}"'})
    assert found.json()["Resources"][0]["id"] == str(admin.user_id)
    nobody = await directory("GET", "/Users", params={"filter": 'userName eq "no\\"body"'})
    assert nobody.json()["totalResults"] == 0


@pytest.mark.parametrize("expression", ["userName", 'password eq "x"', 'a eq "b" or c eq "d"'])
async def test_other_filters_are_refused_in_its_own_words(directory, expression):
    answer = await directory("GET", "/Users", params={"filter": expression})
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter")


async def test_pages(directory):
    for _ in range(3):
        await directory("POST", "/Users", grace())

    first = (await directory("GET", "/Users", params={"startIndex": 1, "count": 2})).json()
    second = (await directory("GET", "/Users", params={"startIndex": 3, "count": 2})).json()

    assert first["totalResults"] == second["totalResults"] == 4
    assert (first["itemsPerPage"], second["itemsPerPage"], second["startIndex"]) == (2, 2, 3)
    assert len({one["id"] for one in first["Resources"] + second["Resources"]}) == 4
    none = (await directory("GET", "/Users", params={"count": 0})).json()
    assert (none["totalResults"], none["Resources"]) == (4, [])


async def test_invitations_go_with_who_sent_them(directory, admin):
    """Whoever is about to leave may have invited an address of their own."""
    eve = await make_user(admin.organization_id, role="admin")
    async with db.transaction(organization_id=admin.organization_id) as session:
        sent = [
            await inviting.send(
                session,
                admin.organization_id,
                f"{secrets.token_hex(6)}@example.com",
                "admin",
                inviter="An administrator",
                invited_by=one.user_id,
            )
            for one in (admin, eve)
        ]
    off = patch({"op": "replace", "path": "active", "value": False})
    assert (await directory("PATCH", f"/Users/{eve.user_id}", off)).status_code == 200
    found = await rows(
        "SELECT id FROM invitations WHERE id = ANY (:ids) AND revoked_at IS NULL",
        ids=[one.id for one in sent],
    )
    assert [row.id for row in found] == [sent[0].id]


async def test_who_is_deleted_is_out_and_can_come_back(directory):
    given = grace()
    made = (await directory("POST", "/Users", given)).json()

    assert (await directory("DELETE", f"/Users/{made['id']}")).status_code == 204

    assert (await directory("GET", f"/Users/{made['id']}")).status_code == 404
    assert (await member(given["userName"])).suspended_at is not None
    again = await directory("POST", "/Users", given)
    assert (again.status_code, again.json()["id"]) == (201, made["id"])
    assert (await member(given["userName"])).suspended_at is None


async def test_the_last_administrator_stays(directory, admin):
    off = patch({"op": "replace", "path": "active", "value": False})
    answer = await directory("PATCH", f"/Users/{admin.user_id}", off)
    assert answer.status_code == 409
    assert (await member(admin.email)).suspended_at is None


async def test_the_same_person_twice_is_a_conflict(directory):
    given = grace()
    await directory("POST", "/Users", given)
    again = await directory("POST", "/Users", given | {"externalId": "other"})
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")

    other = (await directory("POST", "/Users", grace())).json()
    taken = patch({"op": "replace", "path": "userName", "value": given["userName"].upper()})
    answer = await directory("PATCH", f"/Users/{other['id']}", taken)
    assert answer.status_code == 409


async def test_the_same_person_twice_at_once_is_one_person(directory):
    given = grace()
    answers = await asyncio.gather(*(directory("POST", "/Users", given) for _ in range(6)))
    assert sorted(one.status_code for one in answers) == [201] + [409] * 5


async def test_name_and_address_follow_until_someone_has_entered(directory):
    given = grace()
    made = (await directory("POST", "/Users", given)).json()
    moved = given["userName"].replace("grace", "hopper")
    change = patch(
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": moved},
        {"op": "replace", "path": "displayName", "value": "Rear Admiral"},
    )

    await directory("PATCH", f"/Users/{made['id']}", change)

    assert (await member(moved)).display_name == "Rear Admiral"
    # Now it is somebody's: with another address "Forgot your password?" would hand it over.
    async with db.transaction(elevated=True) as session:
        user = await member(moved)
        session.add(Password(user_id=user.id, hash=await hash_password(PASSWORD)))
    evil = patch({"op": "replace", "path": "emails", "value": [{"value": "eve@evil.example"}]})
    answer = await directory("PATCH", f"/Users/{made['id']}", evil)
    assert answer.status_code == 200
    assert (await member(moved)).email == moved


async def test_the_address_of_who_was_given_more_than_a_member_s_rights_stays(directory):
    """Or whoever holds the token would be an administrator by way of a mailbox."""
    given = grace()
    made = (await directory("POST", "/Users", given)).json()
    row = await member(given["userName"])
    await rows("UPDATE memberships SET role = 'admin' WHERE user_id = :u RETURNING 1", u=row.id)
    evil = patch({"op": "replace", "path": "emails", "value": [{"value": "eve@evil.example"}]})
    assert (await directory("PATCH", f"/Users/{made['id']}", evil)).status_code == 200
    assert (await member(given["userName"])).id == row.id


async def test_an_account_that_was_here_before_keeps_name_and_address(directory, admin):
    ada = await make_user(admin.organization_id)
    change = grace(userName=ada.email, displayName="Renamed", emails=[{"value": "e@evil.example"}])

    assert (await directory("PUT", f"/Users/{ada.user_id}", change)).status_code == 200

    row = await member(ada.email)
    assert (row.email, row.display_name) == (ada.email, "Ada Lovelace")


# Other organisations ------------------------------------------------------------------------------


async def test_other_organisations_are_not_seen_and_not_touched(directory):
    other = await make_user(role="admin")
    theirs = await make_user(other.organization_id)
    token = await make_token(other.organization_id)
    group = (
        await directory("POST", "/Groups", {"schemas": [GROUP], "displayName": "X"}, by=token)
    ).json()
    off = patch({"op": "replace", "path": "active", "value": False})

    for method, content in (
        ("GET", None),
        ("PUT", grace()),
        ("PATCH", off),
        ("DELETE", None),
    ):
        answer = await directory(method, f"/Users/{theirs.user_id}", content)
        assert answer.status_code == 404, method
        answer = await directory(method, f"/Groups/{group['id']}", content)
        assert answer.status_code in {404, 400}, method
    found = await directory("GET", "/Users", params={"filter": f'userName eq "{theirs.email}"'})
    assert found.json()["totalResults"] == 0
    assert (await directory("GET", "/Groups")).json()["totalResults"] == 0
    assert (await member(theirs.email)).suspended_at is None


async def test_an_account_that_waits_for_its_mail_elsewhere_is_not_taken(directory):
    """Or it would be open, and its name the directory's, before its owner confirmed anything."""
    theirs = await make_user(activated_at=None)

    answer = await directory(
        "POST", "/Users", grace(userName=theirs.email, emails=[{"value": theirs.email}])
    )

    assert answer.status_code == 409
    row = await member(theirs.email)
    assert (row.activated_at, row.display_name) == (None, "Ada Lovelace")


async def test_strangers_of_another_organisation_are_in_no_group(directory):
    theirs = await make_user()
    answer = await directory(
        "POST",
        "/Groups",
        {"schemas": [GROUP], "displayName": "X", "members": [{"value": str(theirs.user_id)}]},
    )
    assert answer.status_code == 400


# Groups -------------------------------------------------------------------------------------------


async def test_people_go_into_a_group_and_out_of_it(directory):
    one, two = [(await directory("POST", "/Users", grace())).json()["id"] for _ in range(2)]
    group = (await directory("POST", "/Groups", {"schemas": [GROUP], "displayName": "Crew"})).json()
    path = f"/Groups/{group['id']}"

    await directory(
        "PATCH", path, patch({"op": "Add", "path": "members", "value": [{"value": one}]})
    )
    await directory(
        "PATCH", path, patch({"op": "add", "path": "members", "value": [{"value": two}] * 2})
    )
    found = (await directory("GET", path)).json()
    assert {one["value"] for one in found["members"]} == {one, two}
    await directory("PATCH", path, patch({"op": "remove", "path": f'members[value eq "{one}"]'}))
    await directory(
        "PATCH", path, patch({"op": "Remove", "path": "members", "value": [{"value": two}]})
    )

    assert not (await directory("GET", path)).json().get("members")
    listed = await directory("GET", "/Groups", params={"filter": 'displayName eq "Crew"'})
    assert listed.json()["totalResults"] == 1
    assert (await directory("DELETE", path)).status_code == 204
    assert (await directory("GET", path)).status_code == 404


async def test_a_directory_cannot_ask_around_for_accounts_elsewhere(
    directory, admin, new_browser, monkeypatch
):
    """After some refusals nothing is made any more, so that the refusal tells nothing."""
    monkeypatch.setattr(probing, "PER_DAY", Rate(2, 86_400, strict=True))

    async def post(address):
        given = grace(userName=address, emails=[{"value": address}])
        return (await directory("POST", "/Users", given)).status_code

    theirs = [(await make_user(activated_at=None)).email for _ in range(3)]
    # A directory tries again what was refused; that counts once.
    assert [await post(theirs[0]) for _ in range(3)] == [409] * 3
    assert await post(f"new.{theirs[0]}") == 201
    assert await post(theirs[1].upper()) == 409
    assert [await post(one) for one in (theirs[2], theirs[0], f"new.{theirs[2]}")] == [429] * 3
    async with db.transaction(organization_id=admin.organization_id) as session:
        told = await session.scalar(
            text("SELECT count(*) FROM audit_events WHERE action = 'scim.address_refused'")
        )
    assert told == 2


async def test_nor_by_giving_one_of_its_own_another_address(directory, monkeypatch):
    monkeypatch.setattr(probing, "PER_DAY", Rate(1, 86_400, strict=True))
    made = (await directory("POST", "/Users", grace())).json()

    async def change(address):
        given = grace(emails=[{"value": address}])
        return (await directory("PUT", f"/Users/{made['id']}", given)).status_code

    taken = (await make_user()).email
    assert await change(taken) == 409
    assert await change(f"free.{taken}") == 429
