"""Someone with an account elsewhere is asked: two organisations, over HTTP."""

import re

import pytest
from sqlalchemy import text

from app.core import db
from app.modules import has
from tests.factories import make_user, sign_in
from tests.scim.conftest import make_token
from tests.scim.test_directory import grace, member, patch

pytestmark = pytest.mark.skipif(not has("organizations"), reason="One organisation only.")
MINE = "/api/organizations/invitations"
ON, OFF = ({"op": "replace", "path": "active", "value": on} for on in (True, False))


@pytest.fixture
async def ada(new_browser):
    """A member of another organisation, signed in there."""
    someone = await make_user()
    client = new_browser()
    await sign_in(client, someone)
    return client, someone


def named(ada, **more):
    return grace(userName=ada[1].email, emails=[{"value": ada[1].email}], **more)


async def memberships(someone):
    async with db.transaction(elevated=True) as session:
        rows = await session.execute(
            text("SELECT organization_id, role FROM memberships WHERE user_id = :u"),
            {"u": someone.user_id},
        )
        return dict(rows.all())


async def member_named(someone):
    async with db.transaction(elevated=True) as session:
        name = text("SELECT display_name FROM users WHERE id = :u")
        return await session.scalar(name, {"u": someone.user_id})


async def test_she_is_inactive_until_she_accepts(directory, admin, ada, mails_to, client):
    browser, someone = ada
    made = await directory("POST", "/Users", named(ada))
    path = f"/Users/{made.json()['id']}"

    assert (made.status_code, made.json()["active"]) == (201, False)
    # What the directory wrote, and nothing of her account.
    assert made.json()["name"]["givenName"] == "Grace"
    assert "Lovelace" not in made.text
    for expression in (f'userName eq "{someone.email}"', f'id eq "{made.json()["id"]}"'):
        listed = (await directory("GET", "/Users", params={"filter": expression})).json()
        assert [one["active"] for one in listed["Resources"]] == [False]
    again = await directory("POST", "/Users", named(ada))
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")
    # It sends again what it wants, as directories do; nobody is let in, and nobody mailed twice.
    assert (await directory("PATCH", path, patch(ON))).json()["active"] is False
    [sent] = [one for one in await mails_to(someone.email) if "/sign-up?invitation=" in one.body]
    assert re.search("An administrator invites you", sent.body)
    group = {"displayName": "Crew", "members": [{"value": made.json()["id"]}]}
    assert (await directory("POST", "/Groups", group)).status_code == 201
    assert await memberships(someone) == {someone.organization_id: "member"}

    [invitation] = (await browser.get(MINE)).json()
    assert (await browser.post(f"{MINE}/{invitation['id']}/accept")).status_code == 200

    assert (await directory("GET", path)).json()["active"] is True
    assert await memberships(someone) == {
        someone.organization_id: "member",
        admin.organization_id: "member",
    }
    # Name and address stay hers.
    await directory("PUT", path, named(ada, displayName="Somebody Else"))
    assert (await member_named(someone)) == "Ada Lovelace"
    assert (await directory("PATCH", path, patch(OFF))).json()["active"] is False
    assert (await browser.get("/api/organizations")).status_code == 200  # at home all is as before


@pytest.mark.parametrize("how", ["off", "delete"])
async def test_the_directory_withdraws_what_is_not_accepted(directory, admin, ada, how):
    browser, someone = ada
    made = (await directory("POST", "/Users", named(ada))).json()
    path = f"/Users/{made['id']}"
    [invitation] = (await browser.get(MINE)).json()

    if how == "off":
        await directory("PATCH", path, patch(OFF))
    else:
        assert (await directory("DELETE", path)).status_code == 204

    assert (await browser.get(MINE)).json() == []
    assert (await browser.post(f"{MINE}/{invitation['id']}/accept")).status_code == 410
    assert admin.organization_id not in await memberships(someone)
    assert (await directory("GET", path)).status_code == (200 if how == "off" else 404)

    # Once it wants her again, she is asked again, under the same id.
    if how == "off":
        await directory("PATCH", path, patch(ON))
    else:
        assert (await directory("POST", "/Users", named(ada))).json()["id"] == made["id"]
    [other] = (await browser.get(MINE)).json()
    assert other["id"] != invitation["id"]


async def test_who_declines_is_not_asked_again_and_again(directory, ada):
    browser, _ = ada
    made = (await directory("POST", "/Users", named(ada))).json()
    [invitation] = (await browser.get(MINE)).json()
    assert (await browser.post(f"{MINE}/{invitation['id']}/decline")).status_code == 204

    for _ in range(2):
        answer = await directory("PATCH", f"/Users/{made['id']}", patch(ON))
        assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert (await browser.get(MINE)).json() == []


async def test_another_directory_knows_nothing_of_it(directory, ada):
    made = (await directory("POST", "/Users", named(ada))).json()
    assert str(ada[1].user_id) not in str(made)
    stranger = await make_token((await make_user(role="admin")).organization_id)
    at_home = await make_token(ada[1].organization_id)

    assert (await directory("GET", f"/Users/{made['id']}", by=stranger)).status_code == 404
    assert (await directory("GET", f"/Users/{made['id']}", by=at_home)).status_code == 404
    seen = (await directory("GET", f"/Users/{ada[1].user_id}", by=at_home)).json()
    assert (seen["active"], seen["userName"]) == (True, ada[1].email)
    assert (await directory("GET", f"/Users/{ada[1].user_id}")).status_code == 404
    assert (await directory("DELETE", f"/Users/{made['id']}", by=stranger)).status_code == 404
    assert (await member(ada[1].email)).suspended_at is None
