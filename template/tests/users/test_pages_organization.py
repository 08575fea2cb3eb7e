"""The page from which an administrator names the organisation and sets its policy."""

import pytest

from tests.factories import make_organization, make_user

PAGE, POLICY = "/admin/organization", "/admin/organization/policy"


@pytest.fixture
async def page(browser):
    await browser.sign_in(await make_user(await make_organization(name="Engines"), role="admin"))
    return await browser.open(PAGE)


async def test_the_name_is_shown_and_changed(page):
    assert page.form(PAGE).fields["name"] == "Engines"
    page = await page.send(PAGE, name="Analytical Engines")
    assert "The name is changed." in page.text
    page = await page.send(PAGE, name=" ")
    assert (page.status, set(page.errors)) == (422, {"name"})
    page = await page.browser.open(PAGE)
    assert page.form(PAGE).fields["name"] == "Analytical Engines"


async def test_what_was_set_stands_in_the_form(page):
    page = await page.send(
        POLICY, idle_minutes="10", mail_domains="Example.com, mail.example.com", absolute_hours="3"
    )
    assert "The policy holds from now on." in page.text
    fields = page.form(POLICY).fields
    assert fields["idle_minutes"] == "10"
    assert fields["absolute_hours"] == "3"
    assert fields["mail_domains"] == "example.com, mail.example.com"
    page = await page.send(POLICY, idle_minutes="", mail_domains="")
    fields = page.form(POLICY).fields
    assert (fields["idle_minutes"], fields["mail_domains"], fields["absolute_hours"]) == (
        "",
        "",
        "3",
    )


@pytest.mark.parametrize(
    ("field", "typed", "status"),
    [
        ("idle_minutes", "31", 422),
        ("idle_minutes", "soon", 422),
        ("absolute_hours", "0", 422),
        ("mail_domains", "not a domain!", 422),
        ("mail_domains", "example.org", 409),
        ("second_factor", "emperor", 422),
    ],
)
async def test_what_cannot_be_is_refused_at_its_field(page, field, typed, status):
    page = await page.send(POLICY, **{field: typed})
    assert (page.status, set(page.errors)) == (status, {field})
    assert page.form(POLICY).fields.get(field, typed) == typed


async def test_the_settings_leave_only_what_is_stricter(page, configure):
    configure(SESSION_SECOND_FACTOR="admins")
    browser = page.browser
    await browser.sign_in(await make_user(role="admin"), second_factor=True)
    page = await browser.open(PAGE)
    assert 'value="admins"' in page.html
    assert 'value="everyone"' in page.html
    assert 'value="optional"' not in page.html
