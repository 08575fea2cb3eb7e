"""The profile, and the pages from which administrators manage people."""

import re

import pytest
from sqlalchemy import text

from app.core import db
from app.jobs.queue import run_until_empty
from app.mail import service as mail
from tests.factories import make_organization, make_user
from tests.pages import Browser

HOSTILE = '<script>alert("x")</script> & <b>Söhne</b>'


async def let_proof_age(someone):
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u"
            ),
            {"u": someone.user_id},
        )


async def mails_to(address):
    await run_until_empty()
    async with db.transaction(elevated=True) as session:
        return await mail.inbox(session, to=address)


async def test_a_new_name_is_kept_and_shown(browser):
    await browser.sign_in(await make_user())
    page = await browser.open("/account")
    page = await page.send("/account", display_name="  Augusta Ada King ")
    assert page.form("/account").fields["display_name"] == "Augusta Ada King"
    assert "Your name is changed." in page.text


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "Ada\u202eLovelace"])
async def test_a_name_that_cannot_be_is_refused_at_its_field(browser, name):
    await browser.sign_in(await make_user())
    page = await browser.open("/account")
    page = await page.send("/account", display_name=name)
    assert (page.status, set(page.errors)) == (422, {"display_name"})
    saved = (await browser.open("/account")).form("/account").fields
    assert saved["display_name"] == "Ada Lovelace"


@pytest.mark.asvs("1.1.2", "1.2.1")
async def test_names_are_text_wherever_they_stand(browser):
    organization = await make_organization(name=HOSTILE)
    admin = await make_user(organization, role="admin", display_name=HOSTILE)
    await browser.sign_in(admin)
    for path in ("/account", "/admin/users", f"/admin/users/{admin.user_id}", "/account/security"):
        page = await browser.open(path)
        assert page.status == 200, path
        assert "<script>alert" not in page.html, path
        assert "<b>Söhne" not in page.html, path
        assert HOSTILE in page.text, path
    page = await browser.open("/admin/users?search=%3Cscript%3Enobody")
    assert "<script>nobody" in page.text
    assert "<script>nobody" not in page.html


@pytest.mark.parametrize("role", ["member", "reviewer"])
async def test_people_without_the_permission_see_neither_link_nor_page(browser, role):
    organization = await make_organization()
    someone, other = await make_user(organization, role=role), await make_user(organization)
    await browser.sign_in(someone)
    assert "/admin/users" not in (await browser.open("/account")).links
    for path in ("/admin/users", f"/admin/users/{other.user_id}", "/admin/users/invitations"):
        page = await browser.open(path)
        assert (page.status, page.heading) == (403, "This is not open to you"), path
        assert other.email not in page.html


@pytest.mark.asvs("1.2.4")
async def test_searching_finds_by_name_and_address_and_takes_no_wildcards(browser):
    organization = await make_organization()
    admin = await make_user(organization, role="admin", display_name="Charles Babbage")
    grace = await make_user(organization, display_name="Grace 100%_Hopper")
    await browser.sign_in(admin)
    for words, found in {
        "hopper": [grace],
        grace.email[:20].upper(): [grace],
        "%_": [grace],
        "a%b": [],
        "_": [grace],
        "": [admin, grace],
    }.items():
        page = await browser.request("GET", "/admin/users", params={"search": words})
        shown = [one for one in (admin, grace) if f"/admin/users/{one.user_id}" in page.links]
        assert shown == found, words


async def test_everybody_stands_on_exactly_one_page(browser):
    organization = await make_organization()
    admin = await make_user(organization, role="admin")
    people = [await make_user(organization, password=False) for _ in range(119)]
    await browser.sign_in(admin)
    seen, page = [], await browser.open("/admin/users")
    while True:
        seen += re.findall(r'<th scope="row"><a href="/admin/users/([0-9a-f-]{36})"', page.html)
        onward = [one for one in page.links if "after=" in one]
        if not onward:
            break
        page = await browser.open(onward[-1])
    assert seen == [str(one.user_id) for one in (admin, *people)]
    assert "/admin/users" in page.links


async def test_a_new_role_counts_at_once_and_signs_out(browser, new_browser):
    organization = await make_organization()
    admin, grace = await make_user(organization, role="admin"), await make_user(organization)
    await browser.sign_in(admin)
    async with new_browser() as other:
        hers = Browser(other)
        await hers.sign_in(grace)
        page = await browser.open(f"/admin/users/{grace.user_id}")
        assert page.form(f"/admin/users/{grace.user_id}/role").fields["role"] == "member"
        page = await page.send(f"/admin/users/{grace.user_id}/role", role="reviewer")
        assert "Ada Lovelace has the new role." in page.text
        assert page.form(f"/admin/users/{grace.user_id}/role").fields["role"] == "reviewer"
        assert (await hers.open("/account")).path == "/sign-in"
    page = await page.send(f"/admin/users/{grace.user_id}/role", role="emperor")
    assert "Choose one of the roles." in page.text


@pytest.mark.asvs("7.4.2")
async def test_suspending_keeps_out_until_reactivated(browser, new_browser):
    organization = await make_organization()
    admin, grace = await make_user(organization, role="admin"), await make_user(organization)
    await browser.sign_in(admin)
    path = f"/admin/users/{grace.user_id}"
    async with new_browser() as other:
        hers = Browser(other)
        await hers.sign_in(grace)
        page = await (await browser.open(path)).send(f"{path}/suspend")
        assert "Suspended" in page.text
        assert (await hers.open("/account")).path == "/sign-in"
        page = await hers.open("/sign-in?next=/account")
        page = await page.send("/sign-in", email=grace.email, password=grace.password)
        assert page.status == 403
        assert "suspended" in page.text
        page = await (await browser.open(path)).send(f"{path}/reactivate")
        assert not page.has_form(f"{path}/reactivate")
        page = await hers.open("/sign-in?next=/account")
        page = await page.send("/sign-in", email=grace.email, password=grace.password)
        assert page.path == "/account"


async def test_removing_deletes_the_account_and_frees_the_address(browser):
    organization = await make_organization()
    admin, grace = await make_user(organization, role="admin"), await make_user(organization)
    await browser.sign_in(admin)
    path = f"/admin/users/{grace.user_id}"
    page = await (await browser.open(path)).send(f"{path}/remove")
    assert page.path == "/admin/users"
    assert path not in page.links
    assert (await browser.open(path)).status == 404
    async with db.transaction(elevated=True) as session:
        left = await session.scalar(
            text("SELECT count(*) FROM users WHERE email = :e"), {"e": grace.email}
        )
    assert left == 0


async def test_the_last_administrator_stays_one(browser):
    organization = await make_organization()
    admin = await make_user(organization, role="admin")
    # Neither of these could administer: one is suspended, one never confirmed the address.
    gone = await make_user(organization, role="admin")
    await make_user(organization, role="admin", activated_at=None)
    await browser.sign_in(admin)
    await (await browser.open(f"/admin/users/{gone.user_id}")).send(
        f"/admin/users/{gone.user_id}/suspend"
    )
    path = f"/admin/users/{admin.user_id}"
    for action, fields in {"role": {"role": "member"}, "suspend": {}, "remove": {}}.items():
        page = await (await browser.open(path)).send(f"{path}/{action}", **fields)
        assert "This is the last administrator" in page.text, action
    assert (await browser.open("/admin/users")).status == 200


async def test_whoever_gives_up_administration_lands_on_a_page_that_is_theirs(browser):
    organization = await make_organization()
    admin, _ = [await make_user(organization, role="admin") for _ in range(2)]
    await browser.sign_in(admin)
    path = f"/admin/users/{admin.user_id}"
    page = await (await browser.open(path)).send(f"{path}/role", role="member")
    assert (page.path, page.status) == ("/account", 200)
    assert "/admin/users" not in page.links


async def test_changes_need_a_fresh_proof_and_say_so_before_anything_is_typed(browser):
    organization = await make_organization()
    admin, grace = await make_user(organization, role="admin"), await make_user(organization)
    await browser.sign_in(admin)
    path = f"/admin/users/{grace.user_id}"
    opened = await browser.open(path)
    await let_proof_age(admin)
    page = await browser.open(path)
    assert not page.has_form(f"{path}/role")
    assert f"/confirm?next={path}" in page.links
    page = await browser.open("/admin/users/invitations")
    assert not page.has_form("/admin/users/invitations")
    # The page from before still has its forms: they lead to the proof and back.
    page = await opened.send(f"{path}/suspend")
    assert page.path == "/confirm"
    page = await page.send("/confirm", password=admin.password)
    assert (page.path, "Active" in page.text) == (path, True)


async def test_an_invitation_is_sent_again_and_withdrawn(browser, new_browser):
    organization = await make_organization()
    admin = await make_user(organization, role="admin")
    address = f"new.{organization.slug}@example.com"
    await browser.sign_in(admin)
    page = await browser.open("/admin/users/invitations")
    page = await page.send("/admin/users/invitations", email=address, role="reviewer")
    assert f"The invitation to {address} is on its way." in page.text

    again = next(form for form in page.forms if form.fields.get("email") == address)
    assert again.fields["role"] == "reviewer"
    page = await browser.request("POST", again.action, data=again.fields)
    assert page.text.count(address) == 2, "in the message and in the one row"
    newest, oldest = [
        re.search(r"/sign-up\?invitation=\S+", one.body)[0] for one in await mails_to(address)
    ]
    async with new_browser() as other:
        theirs = Browser(other)
        assert (await theirs.open(oldest)).status == 410
        assert (await theirs.open(newest)).status == 200
        way = re.search(r'formaction="([^"]+/withdraw)"', page.html)[1]
        page = await browser.request("POST", way, data=again.fields)
        assert "The invitation is withdrawn." in page.text
        assert "No open invitations" in page.text
        assert (await theirs.open(newest)).status == 410


async def test_what_was_typed_stays_when_an_invitation_is_refused(browser):
    organization = await make_organization()
    admin, grace = await make_user(organization, role="admin"), await make_user(organization)
    await browser.sign_in(admin)
    page = await browser.open("/admin/users/invitations")
    page = await page.send("/admin/users/invitations", email=grace.email, role="reviewer")
    assert (page.status, page.errors["email"]) == (409, "This person is a member already.")
    fields = page.form("/admin/users/invitations").fields
    assert (fields["email"], fields["role"]) == (grace.email, "reviewer")
    page = await page.send("/admin/users/invitations", email="grace@")
    assert (page.status, set(page.errors)) == (422, {"email"})


async def test_an_address_that_nobody_confirmed_can_still_be_invited(browser):
    """Otherwise a stranger could keep people out by signing up with their addresses."""
    organization = await make_organization()
    admin = await make_user(organization, role="admin")
    squatted = await make_user(organization, activated_at=None, password=False)
    await browser.sign_in(admin)
    page = await browser.open("/admin/users/invitations")
    page = await page.send("/admin/users/invitations", email=squatted.email, role="reviewer")
    assert "is on its way" in page.text
    link = re.search(r"/sign-up\?invitation=\S+", (await mails_to(squatted.email))[0].body)[0]
    page = await browser.open(link)
    page = await page.send("/sign-up", display_name="Grace Hopper", password="the owner's own 42")
    assert page.path == "/sign-up/sent"
    found = await browser.client.get("/api/users", params={"search": squatted.email})
    [member] = found.json()["users"]
    assert (member["role"], member["display_name"]) == ("reviewer", "Grace Hopper")


async def test_people_and_invitations_of_another_organisation_do_not_exist(browser, new_browser):
    theirs = await make_organization()
    boss, member = await make_user(theirs, role="admin"), await make_user(theirs)
    address = f"new.{theirs.slug}@example.com"
    async with new_browser() as other:
        over_there = Browser(other)
        await over_there.sign_in(boss)
        page = await over_there.open("/admin/users/invitations")
        page = await page.send("/admin/users/invitations", email=address)
        withdraw = re.search(r'formaction="([^"]+/withdraw)"', page.html)[1]

        await browser.sign_in(await make_user(role="admin"))
        page = await browser.request("GET", "/admin/users", params={"search": member.email})
        assert f"/admin/users/{member.user_id}" not in page.links
        page = await browser.open("/admin/users/invitations")
        assert address not in page.html
        token = page.form("/admin/users/invitations").fields["csrf_token"]
        path = f"/admin/users/{member.user_id}"
        assert (await browser.open(path)).status == 404
        mistyped = await browser.open("/admin/users/nobody")
        assert (mistyped.status, mistyped.heading) == (404, "This page does not exist")
        for action in ("role", "suspend", "reactivate", "remove"):
            page = await browser.request(
                "POST", f"{path}/{action}", data={"csrf_token": token, "role": "admin"}
            )
            assert page.status == 404, action
        await browser.request("POST", withdraw, data={"csrf_token": token})

        page = await over_there.open(path)
        assert ("Member" in page.text, "Active" in page.text) == (True, True)
        assert address in (await over_there.open("/admin/users/invitations")).text
