"""What a directory does, and its tokens, as people see it on pages."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.auth.next_pages import home
from app.core import db
from app.core.clock import now
from tests.factories import make_organization, make_user, sign_in
from tests.scim.conftest import make_token
from tests.scim.test_directory import patch, rows


@pytest.mark.parametrize("value", [False, "False"])
async def test_who_is_switched_off_is_out_at_once(directory, admin, browser, new_browser, value):
    ada = await make_user(admin.organization_id)
    async with new_browser() as client:
        theirs = type(browser)(client)
        await theirs.sign_in(ada)
        assert (await theirs.open("/account")).path == "/account"
        off = patch({"op": "Replace", "path": "active", "value": value})

        answer = await directory("PATCH", f"/Users/{ada.user_id}", off)

        assert (answer.status_code, answer.json()["active"]) == (200, False)
        assert (await theirs.open("/account")).path == "/sign-in"
        page = await theirs.open("/sign-in")
        page = await page.send("/sign-in", email=ada.email, password=ada.password)
        assert "suspended" in page.text

        # Okta writes it without a path.
        await directory(
            "PATCH", f"/Users/{ada.user_id}", patch({"op": "replace", "value": {"active": True}})
        )
        # What ended stays ended.
        assert (await theirs.open("/account")).path == "/sign-in"
        page = await page.send("/sign-in", email=ada.email, password=ada.password)
        assert page.path == home()


async def test_a_person_in_two_organisations_leaves_one_of_them(
    directory, admin, browser, new_browser
):
    """Sessions in the other one go on."""
    ada = await make_user()
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO memberships (id, organization_id, user_id, role)"
                " VALUES (gen_random_uuid(), :o, :u, 'member')"
            ),
            {"o": admin.organization_id, "u": ada.user_id},
        )
    async with new_browser() as client:
        theirs = type(browser)(client)
        await theirs.sign_in(ada)
        off = patch({"op": "replace", "path": "active", "value": False})

        assert (await directory("PATCH", f"/Users/{ada.user_id}", off)).status_code == 200

        assert (await theirs.open("/account")).path == "/account"
    found = await rows(
        "SELECT organization_id FROM memberships WHERE user_id = :u AND suspended_at IS NULL",
        u=ada.user_id,
    )
    assert [row.organization_id for row in found] == [ada.organization_id]


async def test_an_administrator_s_session_is_no_token(browser, admin):
    await browser.sign_in(admin)
    assert (await browser.client.get("/scim/v2/Users")).status_code == 401


async def test_a_token_ends_by_time_and_by_hand(directory, admin, client, browser):
    organization = await make_organization()
    old = await make_token(organization.id, expires_at=now() - timedelta(seconds=1))
    assert (await directory("GET", "/Users", by=old)).status_code == 401
    assert (await directory("GET", "/Users")).status_code == 200

    await browser.sign_in(admin)
    page = await browser.open("/admin/directory")
    assert "Last used" in page.text
    page = await page.send(next(form.action for form in page.forms if "/end" in form.action))

    assert "The token is ended" in page.text
    assert (await directory("GET", "/Users")).status_code == 401


async def test_a_token_is_shown_once_and_opens_the_organisation(browser, client, admin):
    await browser.sign_in(admin)
    page = await browser.open("/admin/directory")
    page = await page.send("/admin/directory/tokens")
    token = next(word for word in page.text.split() if word.startswith("scim_"))
    assert token not in (await browser.open("/admin/directory")).html

    answer = await client.get("/scim/v2/Users", headers={"Authorization": f"Bearer {token}"})

    assert [one["id"] for one in answer.json()["Resources"]] == [str(admin.user_id)]
    stored = await rows("SELECT t::text AS all FROM scim_tokens t")
    assert all(token not in row.all for row in stored)


async def test_members_make_no_token(client):
    await sign_in(client, await make_user())
    assert (await client.post("/api/scim/tokens")).status_code == 403
    assert (await client.get("/admin/directory")).status_code == 403
