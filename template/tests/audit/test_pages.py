import pytest

from tests.audit.conftest import happen
from tests.factories import make_organization, make_user, sign_in


async def test_the_page_shows_nothing_of_another_organisation(client, admin, new_browser):
    other = await make_user(role="admin", password=False)
    await happen(admin, "test.mine")
    await happen(other, "test.theirs")

    async with new_browser() as browser:
        await sign_in(browser, other)
        page = (await browser.get("/admin/audit")).text

    assert "Test theirs" in page
    assert "Test mine" not in page


async def test_empty_fields_of_the_form_filter_nothing(client, admin):
    await happen(admin, "test.now")

    response = await client.get("/admin/audit?action=&person=&from=&to=")

    assert response.status_code == 200
    assert "Test now" in response.text


async def test_the_page_tells_who_did_what_in_words(client, admin):
    grace = await make_user(admin.organization_id, password=False, display_name="Grace Hopper")
    await happen(admin, "user.role_changed", target=grace.user_id, detail={"role": "reviewer"})
    detail = {"scopes": ["a.read", "a.set"], "limits": {"hour": 5}, "sure": True, "until": None}
    await happen(admin, "test.happened", user_id=None, detail=detail)

    page = (await client.get("/admin/audit")).text

    assert "User role changed" in page
    assert "Ada Lovelace" in page
    assert "role: reviewer" in page
    assert "Grace Hopper" in page
    assert "The app" in page
    for one in ("scopes: a.read, a.set<", "limits: hour 5<", "sure: yes<", "until: –<"):
        assert one in page


async def test_the_page_filters_and_leads_to_older_events(client, admin):
    await happen(admin, *["test.happened"] * 60, "user.removed")

    first = (await client.get("/admin/audit?action=test")).text
    second = (await client.get("/admin/audit?action=test&before=11")).text

    assert first.count("<tr>") == 51
    assert "User removed" not in first
    assert "action=test&amp;before=11" in first
    assert second.count("<tr>") == 11


async def test_the_page_is_for_administrators(client):
    await sign_in(client, await make_user(await make_organization(), password=False))

    assert (await client.get("/admin/audit")).status_code == 403


@pytest.mark.asvs("1.2.1")
async def test_what_was_typed_into_the_filter_is_shown_as_text(client, admin):
    page = (await client.get("/admin/audit", params={"action": '"><script>alert(1)</script>'})).text

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page, "it is shown, as text"
