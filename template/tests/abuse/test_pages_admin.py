"""The same on pages."""

import pytest

from tests.abuse.conftest import right_password, try_password
from tests.abuse.test_admin import operators as operators
from tests.factories import make_user, stay_locked_out


@pytest.fixture
async def admin(browser, operators):
    made = await make_user(operators, role="admin")
    await browser.sign_in(made, second_factor=True)
    return made


async def test_an_administrator_sees_lifts_and_decides(browser, new_browser, admin, limits):
    empty = await browser.open("/admin/abuse")
    assert "Nobody is slowed" in empty.text
    ada = await make_user(admin.organization_id)
    async with new_browser() as stranger:
        for _ in range(3):
            await try_password(stranger)
        for _ in range(8):
            await try_password(stranger, ada.email)
    await stay_locked_out()
    page = await browser.open("/admin/abuse")
    assert "Many logins tried at one place" in page.text
    assert ada.email in page.text  # locked out
    seen = await browser.open("/admin/abuse?show=seen&of=stuffing")
    assert "usual: 3" in seen.text
    [path] = [link for link in page.links if "/measures/" in link]
    one = await browser.open(path)
    assert "The app" in one.text
    refused = await one.send(f"{path}/lift", reason="x")
    assert (refused.status, refused.errors) == (422, {"reason": "Use at least 3 characters."})
    done = await refused.send(f"{path}/lift", reason="They called.")
    assert (done.path, "It is lifted" in done.text) == ("/admin/abuse", True)
    ended = await browser.open("/admin/abuse?show=ended")
    assert "Ada Lovelace" in ended.text
    one = await browser.open(path)
    assert "They called." in one.text

    [path] = [link for link in page.links if "/lockouts/" in link]
    done = await (await browser.open(path)).send(f"{path}/lift", reason="A new phone.")
    assert "Nobody has to wait" in done.text
    async with new_browser() as stranger:
        assert (await right_password(stranger, ada)).status_code == 200

    form = await browser.open("/admin/abuse/decide")
    done = await form.send(
        "/admin/abuse/decide", subject=ada.email, measure="slow", reason="Loads everything."
    )
    assert "It holds from now on." in done.text
    assert "Person Ada Lovelace" in done.text
    refused = await (await browser.open("/admin/abuse/decide")).send(
        "/admin/abuse/decide", subject="10.0.0.0/8", measure="suspend", reason="All of them."
    )
    assert (refused.status, list(refused.errors)) == (422, ["subject"])


async def test_deciding_needs_a_fresh_proof(browser, operators):
    from tests.abuse.conftest import rows

    admin = await make_user(operators, role="admin")
    await browser.sign_in(admin)
    await rows(
        "UPDATE sessions SET authenticated_at = now() - interval '2 hours' WHERE user_id = :u"
        " RETURNING id",
        u=admin.user_id,
    )
    assert (await browser.open("/admin/abuse")).status == 200
    assert (
        (await browser.open("/admin/abuse/decide", follow=False))
        .headers["location"]
        .startswith("/confirm")
    )
