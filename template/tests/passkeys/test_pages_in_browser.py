"""Passkeys in a real browser, with the virtual authenticator that its developer tools have."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page, Route, expect
from sqlalchemy import text

from app.core import db
from tests.browser.conftest import open_page as open_page
from tests.factories import PASSWORD, Someone, make_user
from tests.passkeys.conftest import let_proof_age, run

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Awaitable[Page]]

PLATFORM = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Authenticator:
    """The virtual authenticator of one page."""

    def __init__(self, session: CDPSession, name: str) -> None:
        self.session = session
        self.name = name

    async def send(self, command: str, **values: Any) -> dict[str, Any]:
        given = {"authenticatorId": self.name} | values
        return await self.session.send(f"WebAuthn.{command}", given)

    async def credentials(self) -> list[dict[str, Any]]:
        return (await self.send("getCredentials"))["credentials"]

    async def verify_owner(self, verified: bool) -> None:
        await self.send("setUserVerified", isUserVerified=verified)


async def plug_in(page: Page, **differently: Any) -> Authenticator:
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    made = await session.send(
        "WebAuthn.addVirtualAuthenticator", {"options": PLATFORM | differently}
    )
    return Authenticator(session, made["authenticatorId"])


@pytest.fixture
async def laptop(live_server: str, configure: Callable[..., None]) -> str:
    """The server of this test process, by the name that browsers trust like HTTPS."""
    address = live_server.replace("127.0.0.1", "localhost")
    configure(PUBLIC_URL=address, SESSION_SECOND_FACTOR="optional")
    # All these browsers share an address, and with it the budget of sign-ins.
    async with db.transaction() as session:
        await session.execute(text("DELETE FROM rate_limits"))
    return address


@pytest.fixture
async def page(laptop: str, open_page: OpenPage) -> Page:
    """A browser that waits for clicks: the virtual authenticator would answer the field at once."""
    page = await open_page(laptop)
    await page.add_init_script(
        "PublicKeyCredential.isConditionalMediationAvailable = async () => false"
    )
    return page


async def heading(page: Page, words: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(words)
    await scripts_are_there(page)


async def scripts_are_there(page: Page) -> None:
    """Else who clicks at once on a slow machine sends the form as it is without them."""
    await page.wait_for_load_state()


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


async def give_password(page: Page, someone: Someone) -> None:
    await page.goto("/sign-in?next=/account/security/passkeys")
    await page.get_by_label("E-mail address").fill(someone.email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await button(page, "Sign in").click()


async def sign_out(page: Page) -> None:
    await page.goto("/account")
    await page.locator("summary", has_text="@example.com").click()
    await button(page, "Sign out").click()
    await expect(page.get_by_text("You are signed out.")).to_be_visible()


async def add_passkey(page: Page, someone: Someone, name: str) -> None:
    await give_password(page, someone)
    await heading(page, "Passkeys")
    await page.get_by_label("Name").fill(name)
    await button(page, "Add a passkey").click()
    await heading(page, "Keep your recovery codes")


async def test_who_presses_the_button_before_the_scripts_are_there_is_asked_all_the_same(
    page: Page,
) -> None:
    ada = await make_user()
    await plug_in(page)
    await give_password(page, ada)
    await heading(page, "Passkeys")

    async def late(route: Route) -> None:
        await asyncio.sleep(1)
        await route.continue_()

    await page.route(re.compile(r"/passkeys/passkeys|/app\."), late)
    await page.goto("/account/security/passkeys", wait_until="commit")
    await page.get_by_label("Name").fill("My laptop")
    await button(page, "Add a passkey").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Keep your recovery codes")


async def test_from_the_first_passkey_to_the_last(page: Page) -> None:
    ada = await make_user()
    authenticator = await plug_in(page)

    await add_passkey(page, ada, "My laptop")
    await expect(page.locator(".code-grid li")).to_have_count(10)
    [made] = await authenticator.credentials()
    assert (made["rpId"], made["isResidentCredential"]) == ("localhost", True)
    await sign_out(page)

    # Without a name or a password.
    await page.goto("/sign-in?next=/account/security/passkeys")
    await button(page, "Sign in with a passkey").click()
    await heading(page, "Passkeys")
    await expect(page.get_by_text("My laptop", exact=True)).to_be_visible()
    await expect(page.get_by_text("Last used: never.")).to_have_count(0)
    await sign_out(page)

    # After the password.
    await give_password(page, ada)
    await heading(page, "One more step")
    await button(page, "Use a passkey").click()
    await heading(page, "Passkeys")

    # Before something sensitive.
    await let_proof_age(ada)
    await page.reload()
    await page.get_by_role("link", name="Remove: My laptop").click()
    await heading(page, "Confirm that it is you")
    await expect(page.get_by_label("Password")).to_have_count(0)
    await button(page, "Confirm with a passkey").click()
    await heading(page, "Passkeys")

    await button(page, "Rename: My laptop").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Old laptop")
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await expect(page.get_by_text("The passkey has its new name.")).to_be_visible()
    await button(page, "Remove: Old laptop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    await expect(page.get_by_text("Old laptop")).to_have_count(0)

    # The browser still has it; we do not.
    await sign_out(page)
    await page.goto("/sign-in")
    await button(page, "Sign in with a passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("This passkey is not accepted here.")
    await give_password(page, ada)
    await heading(page, "Passkeys")


async def test_the_sign_in_field_offers_the_passkey_without_a_click(
    laptop: str, open_page: OpenPage
) -> None:
    ada, page = await make_user(), await open_page(laptop)
    authenticator = await plug_in(page)
    await add_passkey(page, ada, "Phone")
    await sign_out(page)
    # The virtual authenticator chooses at once what a person would choose from the list.
    await page.goto("/sign-in?next=/account")
    await page.wait_for_url("**/account")

    # While the field waits, the button takes over.
    await sign_out(page)
    await authenticator.send("setAutomaticPresenceSimulation", enabled=False)
    await page.goto("/sign-in?next=/account")
    field = page.get_by_label("E-mail address")
    await expect(field).to_have_attribute("autocomplete", "username webauthn")
    await button(page, "Sign in with a passkey").click()
    await authenticator.send("setAutomaticPresenceSimulation", enabled=True)
    await page.wait_for_url("**/account")


async def test_what_goes_wrong_in_the_browser_is_said_in_words(page: Page) -> None:
    ada = await make_user()
    authenticator = await plug_in(page)
    problem = page.locator("[data-passkey-problem]")
    await add_passkey(page, ada, "Laptop")

    await page.goto("/account/security/passkeys")
    await button(page, "Add a passkey").click()
    await expect(problem).to_contain_text("has a passkey for your account already")
    assert await button(page, "Add a passkey").get_attribute("aria-busy") is None

    await sign_out(page)
    await authenticator.verify_owner(False)
    await give_password(page, ada)
    await heading(page, "One more step")
    await button(page, "Use a passkey").click()
    await expect(problem).to_contain_text("That was cancelled, or nothing answered in time.")
    await authenticator.verify_owner(True)
    await button(page, "Use a passkey").click()
    await heading(page, "Passkeys")


async def test_a_browser_without_passkeys_shows_the_other_ways(page: Page) -> None:
    ada = await make_user()
    authenticator = await plug_in(page)
    await add_passkey(page, ada, "Laptop")
    await sign_out(page)
    await authenticator.send("removeVirtualAuthenticator")

    await page.add_init_script("delete window.PublicKeyCredential")
    await page.goto("/sign-in")
    await expect(button(page, "Sign in with a passkey")).to_be_hidden()
    await give_password(page, ada)
    await heading(page, "One more step")
    await expect(page.get_by_text("This browser does not know passkeys.")).to_be_visible()
    await page.get_by_role("link", name="Recovery code").click()
    await expect(page.get_by_label("Recovery code")).to_be_visible()


async def test_a_page_at_another_name_gets_no_passkey(
    laptop: str, open_page: OpenPage, configure: Callable[..., None]
) -> None:
    page = await open_page(laptop)
    await plug_in(page)
    await page.goto("/sign-in")
    configure(PUBLIC_URL="https://app.example.com", SESSION_SECOND_FACTOR="optional")
    await button(page, "Sign in with a passkey").click()
    await expect(page.locator("[data-passkey-problem]")).to_contain_text(
        "Passkeys do not work at this address."
    )


async def test_a_copy_and_a_replay_are_refused(page: Page) -> None:
    ada = await make_user()
    authenticator = await plug_in(page)
    await add_passkey(page, ada, "Laptop")
    [copy] = await authenticator.credentials()
    await sign_out(page)

    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.post_data or ""))
    await page.goto("/sign-in")
    await button(page, "Sign in with a passkey").click()
    await heading(page, "What would you like to know?")
    [replay] = [one for one in sent if "authenticatorData" in one]
    await sign_out(page)

    # The same form once more, in the browser that sent it first.
    await page.goto("/sign-in")
    credential = re.search(r"credential=([^&]+)", replay)
    assert credential
    await page.evaluate(
        """value => {
          const form = document.querySelector("form[data-passkey]");
          form.elements.credential.value = decodeURIComponent(value.replaceAll("+", " "));
          form.submit();
        }""",
        credential[1],
    )
    await expect(page.get_by_role("alert")).to_contain_text("or was sent already")
    await scripts_are_there(page)

    # A copy that begins to count anew.
    await authenticator.send("removeCredential", credentialId=copy["credentialId"])
    await authenticator.send("addCredential", credential=copy | {"signCount": 0})
    await button(page, "Sign in with a passkey").click()
    await expect(page.get_by_role("alert")).to_contain_text("There seems to be a copy")
    found = await run("SELECT copied_at FROM passkeys WHERE user_id = :u", u=ada.user_id)
    assert found.scalar_one() is not None
