"""Keys by pages: one's own, and for administrators those of everyone."""

import re

from tests.factories import make_user

KEYS, EVERYONES = "/account/keys", "/admin/keys"


async def make(page, **typed):
    return await page.send(KEYS, name="Export <b>", scopes=["usage.read_own"], **typed)


async def test_a_key_is_shown_once_renewed_and_revoked(browser, outside):
    await browser.sign_in(await make_user())
    page = await make(await browser.open(KEYS))
    assert page.status == 200
    assert page.headers["cache-control"] == "no-store"
    [secret] = set(re.findall(r"\w+_test_\w{43}", page.html))
    headers = {"Authorization": f"Bearer {secret}"}
    assert (await outside.get("/api/usage", headers=headers)).status_code == 200
    page = await browser.open(KEYS)
    assert secret not in page.html
    assert "Export <b>" in page.text
    assert "<b>" not in page.html
    [key_id] = set(re.findall(rf'action="{KEYS}/([\w-]+)/renew"', page.html))
    renewed = await page.send(f"{KEYS}/{key_id}/renew", grace_hours="0")
    assert secret not in renewed.html
    assert (await outside.get("/api/usage", headers=headers)).status_code == 401
    page = await browser.open(KEYS)
    page = await page.send(f"{KEYS}/{key_id}/revoke")
    assert "is revoked." in page.text
    assert not page.has_form(f"{KEYS}/{key_id}/revoke")


async def test_mistakes_stand_at_their_fields(browser):
    await browser.sign_in(await make_user())
    page = await browser.open(KEYS)
    page = await page.send(KEYS, name="")
    assert (page.status, set(page.errors)) == (422, {"name", "scopes"})
    page = await make(await browser.open(KEYS), expires_in_days="400")
    assert page.errors["expires_in_days"] == "A key works 365 days at most."


async def test_administrators_see_and_revoke_the_keys_of_all(browser, new_browser):
    from tests.pages import Browser

    ada = await make_user(role="admin")
    bob = await make_user(ada.organization_id, display_name="Bob")
    async with new_browser() as other:
        theirs = Browser(other)
        await theirs.sign_in(bob)
        await make(await theirs.open(KEYS))
        assert (await theirs.open(EVERYONES)).status == 403
    await browser.sign_in(ada)
    page = await browser.open(EVERYONES)
    assert f"Bob {bob.email}" in page.text
    [action] = set(re.findall(rf'action="({EVERYONES}/[\w-]+/revoke)"', page.html))
    page = await page.send(action)
    assert "Revoked" in page.text


async def test_the_tabs_of_the_account_lead_to_the_keys_and_back(browser):
    await browser.sign_in(await make_user(role="admin"))
    for path in ("/account", "/account/security", KEYS):
        page = await browser.open(path)
        tabs = page.html.partition('aria-label="Account"')[2].partition("</nav>")[0]
        assert re.findall(r'href="([^"]+)"', tabs) == [
            "/account",
            "/account/security",
            KEYS,
        ], path
        assert f'href="{path}" aria-current="page"' in tabs, path


async def test_the_keys_of_everyone_come_in_pages(browser, monkeypatch):
    from app.api_keys import pages

    monkeypatch.setattr(pages, "PAGE_SIZE", 1)
    await browser.sign_in(await make_user(role="admin"))
    for name in ("First", "Second"):
        page = await browser.open(KEYS)
        await page.send(KEYS, name=name, scopes="users.read", expires_in_days="7")
    page = await browser.open(EVERYONES)
    assert ("Second" in page.text, "First" in page.text) == (True, False)
    page = await browser.open(next(one for one in page.links if "before=" in one))
    assert ("Second" in page.text, "First" in page.text) == (False, True)
    assert EVERYONES in page.links
