"""The pages of one's organisations, and the way through them."""

import re

import pytest
from sqlalchemy import text

from app.core import db
from tests.factories import make_membership, make_organization, make_user, set_policy
from tests.pages import Browser

LIST, NEW, OWNERSHIP = "/organizations", "/organizations/new", "/organizations/current/ownership"
HOSTILE = '<script>alert("x")</script> & Söhne'


@pytest.fixture
async def ada(browser):
    someone = await make_user(await make_organization(name="Engines"))
    await browser.sign_in(someone)
    return someone


async def invited_link(letter):
    return re.search(r"/sign-up\?invitation=\S+", letter.body)[0]


async def test_every_page_says_where_one_is_and_leads_to_the_others(browser, ada):
    other = await make_organization(name="Home")
    await make_membership(ada, other)
    page = await browser.open("/account")
    assert LIST in page.links
    assert "Engines" in page.text
    page = await browser.open(LIST)
    page = await page.send(f"{LIST}/{other.id}/switch")
    assert "You are in Home now." in page.text
    page = await browser.open("/account")
    assert ("Home" in page.text, "Engines" in page.text) == (True, False)


async def test_a_new_one_is_made_and_left_to_others(browser, ada):
    page = await browser.open(NEW)
    page = await page.send(NEW, name="", slug="")
    assert (page.status, set(page.errors)) == (422, {"name"})
    page = await page.send(NEW, name="Looms", slug="A b")
    assert (page.status, set(page.errors)) == (422, {"slug"})
    page = await page.send(NEW, name="Looms", slug="")
    assert "Looms is made." in page.text
    page = await browser.open(OWNERSHIP)
    page = await page.send(OWNERSHIP, email=f"nobody.{ada.user_id.hex}@example.com")
    assert (page.status, set(page.errors)) == (409, {"email"})
    page = await page.send(f"{OWNERSHIP}/delete", name="Loom")
    assert (page.status, set(page.errors)) == (422, {"name"})
    page = await page.send(f"{OWNERSHIP}/delete", name="Looms")
    assert "Looms is deleted. You are in Engines now." in page.text
    assert page.path == LIST


async def test_names_are_text_wherever_they_stand(browser, new_browser, mails_to):
    hostile = await make_organization(name=HOSTILE)
    boss = await make_user(hostile, role="admin")
    await browser.sign_in(boss)
    ada = await make_user()
    page = await browser.open("/admin/users/invitations")
    await page.send("/admin/users/invitations", email=ada.email)
    async with new_browser() as other:
        hers = Browser(other)
        await hers.sign_in(ada)
        for page in (
            await browser.open(LIST),
            await browser.open(OWNERSHIP),
            await hers.open(LIST),
            await hers.open(await invited_link((await mails_to(ada.email))[0])),
        ):
            assert page.status == 200
            assert "<script>alert" not in page.html
            assert HOSTILE in page.text, page.path


async def test_a_mailed_invitation_is_answered_by_the_invited_one_only(
    browser, new_browser, ada, mails_to
):
    boss = await make_user(await make_organization(name="Home"), role="admin")
    async with new_browser() as other:
        theirs = Browser(other)
        await theirs.sign_in(boss)
        page = await theirs.open("/admin/users/invitations")
        await page.send("/admin/users/invitations", email=ada.email, role="reviewer")
        link = await invited_link((await mails_to(ada.email))[0])
        token = link.partition("=")[2]
        page = await theirs.open(f"/invitations/{token}")
        assert f"You are signed in as {boss.email}" in page.text
        assert not [form for form in page.forms if "accept" in form.action]
    async with new_browser() as stranger:
        page = await Browser(stranger).open(link)
        [way] = [one for one in page.links if one.startswith("/sign-in")]
        page = await page.browser.open(way)
        page = await page.send("/sign-in", email=ada.email, password=ada.password)
        assert page.path == f"/invitations/{token}"
        assert page.headers["referrer-policy"] == "no-referrer"
        [form] = [form for form in page.forms if "accept" in form.action]
        page = await page.send(form.action)
        assert "You are in Home now." in page.text
    page = await browser.open(f"/invitations/{token}")
    assert page.status == 410


async def test_declining_on_the_page_ends_it(browser, new_browser, ada):
    boss = await make_user(await make_organization(name="Home"), role="admin")
    async with new_browser() as other:
        theirs = Browser(other)
        await theirs.sign_in(boss)
        page = await theirs.open("/admin/users/invitations")
        await page.send("/admin/users/invitations", email=ada.email)
        page = await browser.open(LIST)
        [form] = [form for form in page.forms if "accept" in form.action]
        decline = form.action.replace("accept", "decline")
        assert f'formaction="{decline}"' in page.html
        page = await browser.request("POST", decline, data=form.fields)
        assert "The invitation is declined." in page.text
        assert "Home" not in page.text
        assert "No open invitations" in (await theirs.open("/admin/users/invitations")).text


async def test_who_joins_where_the_way_in_is_closed_is_a_member_and_told(browser, new_browser, ada):
    boss = await make_user(await make_organization(name="Home"), role="admin")
    async with new_browser() as other:
        theirs = Browser(other)
        await theirs.sign_in(boss)
        page = await theirs.open("/admin/users/invitations")
        await page.send("/admin/users/invitations", email=ada.email)
    await set_policy(boss.organization_id, sign_in_methods=["telepathy"])
    page = await browser.open(LIST)
    [form] = [form for form in page.forms if "accept" in form.action]
    page = await page.send(form.action)
    assert "You are a member now." in page.text
    assert "telepathy" in page.text
    assert page.has_form(f"{LIST}/{boss.organization_id}/switch")


async def test_leaving_asks_and_goes_home(browser, ada):
    await make_user(ada.organization_id, role="admin")
    page = await browser.open(LIST)
    page = await page.send(f"{LIST}/current/leave")
    assert "This is your only organisation" in page.text
    await make_membership(ada, await make_organization(name="Home"))
    page = await page.send(f"{LIST}/current/leave")
    assert "You have left Engines. You are in Home now." in page.text
    assert not [form for form in page.forms if "switch" in form.action]


async def test_only_administrators_see_the_ownership_and_only_owners_change_it(browser, ada):
    assert (await browser.open(OWNERSHIP)).status == 403
    boss = await make_user(ada.organization_id, role="admin")
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE organizations SET owner_id = :u WHERE id = :o"),
            {"u": ada.user_id, "o": ada.organization_id},
        )
    await browser.sign_in(boss)
    page = await browser.open(OWNERSHIP)
    assert "Only the owner changes something here." in page.text
    assert not page.has_form(OWNERSHIP)
    assert not page.has_form(f"{OWNERSHIP}/delete")
