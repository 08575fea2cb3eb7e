"""The banner, the way there and back, and what the person sees of it."""

import pytest
from sqlalchemy import text

from app.auth.next_pages import home
from app.core import db
from tests.factories import make_organization, make_user, set_policy, sign_in
from tests.impersonation.conftest import REASON, work_as

BANNER = "All of it is recorded as Grace Hopper."


@pytest.fixture
async def people(browser):
    organization = await make_organization()
    admin = await make_user(organization, role="admin", display_name="Grace Hopper")
    await browser.sign_in(admin)
    return admin, await make_user(organization)


async def start(browser, ada, **typed):
    page = await browser.open(f"/admin/users/{ada.user_id}")
    typed = {"reason": REASON, "minutes": "30"} | typed
    return await page.send(f"/admin/users/{ada.user_id}/impersonate", **typed)


async def test_from_the_members_page_and_back(browser, people):
    _, ada = people
    page = await start(browser, ada)
    assert (page.path, page.status) == (home(), 200)
    assert BANNER in page.text
    assert "/account" not in page.links, "what is closed is not offered"
    page = await page.send("/impersonation/end")
    assert (page.path, page.status) == ("/admin/users", 200)
    assert BANNER not in page.text


async def test_the_banner_stands_on_every_page(browser, people):
    """Those of errors and those that ask nobody who they are, too."""
    _, ada = people
    await start(browser, ada)
    for path in (home(), "/usage", "/account", "/admin/audit"):
        page = await browser.open(path)
        assert BANNER in page.text, path
        assert page.has_form("/impersonation/end"), path
    for path in ("/forgot-password", "/nowhere", "/sign-up/sent"):
        page = await browser.open(path)
        assert "You work as someone else." in page.text, path


async def test_what_is_closed_says_so(browser, people):
    _, ada = people
    await start(browser, ada)
    for path in ("/account", "/account/security", "/account/keys", "/confirm", "/organizations"):
        page = await browser.open(path)
        assert page.status in {403, 404}, path
        assert page.status == 404 or "Only the person themselves can do this." in page.text


async def test_when_the_time_is_over_a_page_leads_back(browser, people):
    _, ada = people
    await start(browser, ada)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET expires_at = now() WHERE user_id = :u"), {"u": ada.user_id}
        )
    page = await browser.open(home())
    assert page.path == "/impersonation/ended"
    page = await page.send("/impersonation/end")
    assert (page.path, page.status) == ("/admin/users", 200)


async def test_when_one_s_own_session_has_ended_too_one_signs_in(browser, people):
    admin, ada = people
    await start(browser, ada)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE sessions SET revoked_at = now() WHERE user_id = :u"), {"u": admin.user_id}
        )
    page = await browser.open(home())
    page = await page.send("/impersonation/end")
    assert page.path == "/sign-in"
    assert "__Host-own-session" not in browser.client.cookies


async def test_refusals_are_told_on_the_members_page(browser, people):
    _, ada = people
    page = await start(browser, ada, reason="no")
    assert page.path == f"/admin/users/{ada.user_id}"
    assert "Say why" in page.text
    await set_policy(ada.organization_id, second_factor="optional", impersonation=False)
    page = await browser.open(f"/admin/users/{ada.user_id}")
    assert not page.has_form(f"/admin/users/{ada.user_id}/impersonate")


async def test_it_is_offered_only_where_it_can_be(browser, people):
    admin, _ = people
    other = await make_user(admin.organization_id, role="admin")
    for someone in (admin, other):
        page = await browser.open(f"/admin/users/{someone.user_id}")
        assert not page.has_form(f"/admin/users/{someone.user_id}/impersonate")


async def test_the_person_sees_it_on_their_page(browser, people, new_browser):
    admin, ada = people
    async with new_browser() as his:
        await sign_in(his, admin)
        await work_as(his, ada)
        await browser.sign_in(ada)
        page = await browser.open("/account/security")
        assert "Administrators as you" in page.text
        assert REASON in page.text
        assert "Grace Hopper Now" in page.text
        await his.delete("/api/impersonation")
    page = await browser.open("/account/security")
    assert REASON in page.text
    assert "Grace Hopper Now" not in page.text


async def test_the_audit_page_names_both(browser, people, new_browser):
    admin, ada = people
    async with new_browser() as his:
        await sign_in(his, admin)
        await work_as(his, ada)
    page = await browser.open("/admin/audit?action=impersonation")
    assert "Grace Hopper as Ada Lovelace" in page.text


async def test_the_policy_is_set_on_the_organisations_page(browser, people):
    _, ada = people
    page = await browser.open("/admin/organization")
    assert page.form("/admin/organization/policy").fields["impersonation"] == "true"
    form = page.form("/admin/organization/policy")
    form.fields.pop("impersonation")
    await page.send("/admin/organization/policy")
    page = await browser.open("/admin/organization")
    assert "impersonation" not in page.form("/admin/organization/policy").fields
    page = await browser.open(f"/admin/users/{ada.user_id}")
    assert not page.has_form(f"/admin/users/{ada.user_id}/impersonate")
