"""From which pages administrators make roles and give them."""

import pytest

from app.access.roles import known, meanings
from tests.factories import make_role, make_user

ROLES = "/admin/users/roles"


@pytest.fixture
async def ada(browser):
    admin = await make_user(role="admin")
    await browser.sign_in(admin)
    return admin


async def test_a_role_is_made_given_changed_and_deleted(browser, ada):
    page = await browser.open(f"{ROLES}/new")
    assert "audit.read Read and export the audit log." in page.text
    assert meanings().keys() <= known()
    page = await page.send(
        f"{ROLES}/new", name="Auditor", description="Reads along", permissions=["audit.read"]
    )
    assert "The role Auditor is there to be given." in page.text
    assert "Auditor Reads along audit.read" in page.text
    [path] = [link for link in page.links if link.startswith(f"{ROLES}/") and "new" not in link]

    bob = await make_user(ada.organization_id)
    person = f"/admin/users/{bob.user_id}"
    page = await browser.open(person)
    page = await page.send(f"{person}/role", role=path.rpartition("/")[2])
    assert "Role Auditor" in page.text

    page = await browser.open(path)
    assert "1 person has this role." in page.text
    assert not page.has_form(f"{path}/delete")
    page = await page.send(path, name="Watcher", permissions=["audit.read", "users.read"])
    assert "Watcher" in page.text
    page = await browser.open(person)
    await page.send(f"{person}/role", role="member")
    page = await browser.open(path)
    page = await page.send(f"{path}/delete")
    assert "The role is deleted." in page.text
    assert "Watcher" not in page.text


async def test_what_is_wrong_stands_at_its_field(browser, ada):
    await make_role(ada.organization_id, [])
    page = await browser.open(f"{ROLES}/new")
    page = await page.send(f"{ROLES}/new", name="")
    assert (page.status, set(page.errors)) == (422, {"name"})
    page = await page.send(f"{ROLES}/new", name="Auditor")
    page = await browser.open(f"{ROLES}/new")
    page = await page.send(f"{ROLES}/new", name="auditor", permissions=["audit.read"])
    assert (page.status, page.errors["name"]) == (409, "There is a role of this name already.")
    assert page.form(f"{ROLES}/new").fields["permissions"] == "audit.read"


async def test_only_what_one_holds_is_offered(browser, ada):
    role = await make_role(ada.organization_id, ["roles.manage", "users.read", "users.manage"])
    eve = await make_user(ada.organization_id, role=role)
    bob = await make_user(ada.organization_id)
    await browser.sign_in(eve)
    page = await browser.open(f"{ROLES}/new")
    assert "users.read" in page.text
    assert "audit.read" not in page.text
    page = await page.send(f"{ROLES}/new", name="Mine", permissions=["audit.read"])
    assert page.status == 403
    assert "audit.read" in page.text, "it says what is beyond them"
    person = f"/admin/users/{bob.user_id}"
    page = await browser.open(person)
    assert "Administrator" not in page.text
    page = await page.send(f"{person}/role", role="admin")
    assert "This takes what you may not do yourself" in page.text


async def test_who_may_only_look_finds_no_way_to_change(browser, ada):
    role = await make_role(ada.organization_id, ["users.read"])
    await browser.sign_in(await make_user(ada.organization_id, role=role))
    page = await browser.open(ROLES)
    assert page.status == 200
    assert f"{ROLES}/new" not in page.links
