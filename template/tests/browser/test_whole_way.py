"""What a person does, from the first page to the last, in a real browser before a real server."""

import re
import time
from collections.abc import Awaitable, Callable

import httpx2
import pyotp
import pytest
from playwright.async_api import Locator, Page, expect

from app.access.forgery import SESSION_COOKIE
from tests.asking import through_the_assistant
from tests.factories import Someone, make_user, sign_in

pytestmark = [pytest.mark.browser, through_the_assistant]
PASSWORD = "a lantern under seven bridges"
QUESTION = "Which edits does an update of the template keep?"
OpenPage = Callable[..., Awaitable[Page]]

# Each length that the answer had while it was drawn.
WATCH = """
log => {
  window.lengths = [];
  new MutationObserver(() => {
    const length = log.querySelector(".message-assistant .prose")?.textContent.length;
    if (length && length !== window.lengths.at(-1)) window.lengths.push(length);
  }).observe(log, { childList: true, subtree: true, characterData: true });
}
"""


def button(page: Page | Locator, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


async def follow(page: Page | Locator, name: str) -> None:
    await page.get_by_role("link", name=name, exact=True).click()


async def fill(page: Page, **texts: str) -> None:
    for label, text in texts.items():
        await page.get_by_label(label.replace("_", " "), exact=True).fill(text)


async def heading(page: Page, text: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(text)


async def test_from_sign_up_to_the_audit_log(dev_server: str, open_page: OpenPage) -> None:
    page = await open_page(dev_server)
    account = page.locator("summary", has_text="grace@example.com")
    async with httpx2.AsyncClient(base_url=dev_server) as client:  # An address mistyped before.
        mistyped = {"email": "grce@example.com", "password": PASSWORD, "display_name": "Grace"}
        assert (await client.post("/api/auth/sign-up", json=mistyped)).status_code == 202

    await page.goto("/")
    await follow(page, "Create an account")
    await fill(page, Your_name="Grace Hopper", Password=PASSWORD)
    await page.get_by_label("E-mail address").fill("grace@example.com")
    await button(page, "Create account").click()
    await heading(page, "Look into your mail")

    await follow(page, "Open the dev inbox")
    await page.get_by_role("link", name="Confirm your address").first.click()
    await page.get_by_role("link", name="/activate/").click()
    await heading(page, "Confirm your address")
    await fill(page, Password=PASSWORD)
    await button(page, "Confirm and sign in").click()
    await expect(page.get_by_text("Your address is confirmed.")).to_be_visible()
    # Safari would refuse one that is for HTTPS only.
    assert ("plain-session", False) in [
        (one["name"], one["secure"]) for one in await page.context.cookies()
    ]

    await account.click()
    await follow(page, "Security")
    await follow(page, "Set up: Authenticator app")
    await page.get_by_text("Scanning does not work").click()
    key = await page.locator("details code").inner_text()
    codes = pyotp.TOTP(key.replace(" ", ""))
    await fill(page, Code=codes.now())
    await button(page, "Turn it on").click()
    await heading(page, "Keep your recovery codes")
    recovery_codes = await page.locator(".code-grid li").all_inner_texts()
    assert len({*recovery_codes}) == 10
    await follow(page, "I have kept them")

    await account.click()
    await button(page, "Sign out").click()
    await expect(page.get_by_text("You are signed out.")).to_be_visible()
    await page.goto("/chat")
    await heading(page, "Sign in")
    await fill(page, **{"E-mail address": "grace@example.com", "Password": PASSWORD})
    await button(page, "Sign in").click()
    await heading(page, "One more step")
    # A code counts once, so the second one is that of the next half minute, a bit early.
    await fill(page, Code=codes.at(int(time.time()) + 30))
    await button(page, "Sign in").click()
    await heading(page, "What would you like to know?")

    await page.locator("[data-log]").evaluate(WATCH)
    await page.get_by_label("Your message").fill(QUESTION)
    await page.keyboard.press("Enter")
    answer = page.locator(".message-assistant[data-call-id]")
    await expect(answer.get_by_text("Stand-in", exact=True)).to_be_visible()
    lengths = await page.evaluate("window.lengths")
    assert len(lengths) > 2
    assert lengths == sorted(lengths)
    await answer.get_by_text(re.compile(r"^\d+ sources?$")).click()
    source = answer.locator(".sources-list li").first
    await expect(source.get_by_role("blockquote")).to_be_visible()
    path = await source.locator(".source-path").inner_text()
    await expect(answer.locator(".prose")).to_contain_text(f"— {path}, ")

    good = button(answer, "Good answer")
    await good.click()
    await expect(page.get_by_text("Your rating is kept.")).to_be_attached()
    await expect(good).to_have_attribute("aria-pressed", "true")
    call_id = await answer.get_attribute("data-call-id")

    # Whoever is first on a laptop runs the app, also where others get an organisation of their own.
    await follow(page, "Prompts")
    await follow(page, "assistant.system")
    await heading(page, "assistant.system")

    await follow(page, "Audit log")
    row = page.get_by_role("table", name="Events").get_by_role("row")
    mine = row.filter(has_text="Grace Hopper")
    for action in ("Account activated", "Second factor enrolled", "Session started"):
        await expect(mine.filter(has_text=action).first).to_be_visible()
    given = mine.filter(has_text="Feedback given")
    await expect(given).to_contain_text("rating: up")
    await expect(given).to_contain_text(str(call_id))

    stranger = await open_page(dev_server)
    await stranger.goto("/sign-up")
    await heading(stranger, "By invitation only")


@pytest.fixture
def laptop(live_server: str, configure: Callable[..., None]) -> str:
    """The server of this test process, by the name that browsers trust like HTTPS."""
    configure(LLM_PROVIDER="stand_in", SESSION_SECOND_FACTOR="optional")
    return live_server.replace("127.0.0.1", "localhost")


async def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press the key until it is there; wherever it stops on the way can be seen."""
    for _ in range(40):
        await page.keyboard.press(key)
        seen = await page.evaluate("""() => {
          const at = document.activeElement;
          const drawn = one => {
            const style = getComputedStyle(one);
            return style.outlineStyle !== "none" || style.boxShadow !== "none";
          };
          return at === document.body || [at, at.parentElement].some(drawn) || at.outerHTML;
        }""")
        assert seen is True, f"No focus to be seen on {seen}"
        if await wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"The keyboard does not reach {wanted}.")


async def test_signing_in_and_asking_need_no_mouse(laptop: str, open_page: OpenPage) -> None:
    someone = await make_user()
    page = await open_page(laptop)

    await page.goto("/sign-in")
    await expect(page.get_by_label("E-mail address")).to_be_focused()
    await page.keyboard.type(someone.email)
    await tab_to(page, page.get_by_label("Password", exact=True))
    await page.keyboard.type(someone.password)
    await page.keyboard.press("Enter")
    await heading(page, "What would you like to know?")
    await tab_to(page, page.get_by_label("Your message"))
    await page.keyboard.type(QUESTION)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("The answer is complete.")).to_be_attached()
    good = page.get_by_role("button", name="Good answer")
    await tab_to(page, good, "Shift+Tab")
    await page.keyboard.press("Space")
    await expect(good).to_have_attribute("aria-pressed", "true")
    await tab_to(page, page.locator("summary", has_text=someone.email), "Shift+Tab")
    await page.keyboard.press("Enter")
    await tab_to(page, button(page, "Sign out"))
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("You are signed out.")).to_be_visible()


async def test_whoever_dislikes_an_answer_can_write_a_better_one(
    laptop: str, open_page: OpenPage
) -> None:
    someone = await make_user(role="reviewer")
    page = await open_page(laptop)
    await be(page, someone)
    await page.goto(f"{laptop}/chat")
    await page.get_by_label("Your message").fill(QUESTION)
    await page.keyboard.press("Enter")
    await button(page, "Bad answer").click()
    why = page.get_by_role("dialog", name="What was wrong with the answer?")
    await why.get_by_label("A better answer").fill("It keeps the whole log.")
    await button(why, "Send").click()
    await expect(page.get_by_text("Thank you.")).to_be_visible()

    await page.goto(f"{laptop}/feedback")
    await expect(page.get_by_text("It keeps the whole log.")).to_be_visible()


async def be(page: Page, someone: Someone) -> None:
    """Sign in without the page for it."""
    async with httpx2.AsyncClient(verify=False) as client:
        value = (await sign_in(client, someone)).cookies[SESSION_COOKIE]
    place = {"domain": "localhost", "path": "/", "secure": True}
    await page.context.add_cookies([{"name": SESSION_COOKIE, "value": value, **place}])


TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


async def too_wide(page: Page, *starts: str) -> list[str]:
    """Of each kind of page that links lead to, those that are wider than the window."""
    seen, waiting, found = set(), [*starts], []
    while waiting:
        path = waiting.pop(0)
        if (kind := IDS.sub("*", path)) in seen:
            continue
        seen.add(kind)
        await page.goto(path)
        if await page.evaluate(TOO_WIDE):
            found.append(path)
        links = page.locator("a[href^='/']:not([download])")
        paths = await links.evaluate_all("links => links.map(link => link.pathname)")
        waiting += [one for one in paths if not one.startswith(("/api/", "/static/"))]
    assert len(seen) > len(starts)
    return found


async def test_no_page_is_wider_than_a_phone(laptop: str, open_page: OpenPage) -> None:
    long = "Wolfeschlegelsteinhausenbergerdorff"
    someone = await make_user(
        role="admin", display_name=(long * 4)[:120], email=f"{'h' * 60}@{long}.com"
    )
    page = await open_page(laptop, viewport={"width": 390, "height": 844})
    await page.goto("/forgot-password")
    await fill(page, **{"E-mail address": someone.email})
    await button(page, "Send the link").click()
    await heading(page, "Look into your mail")

    assert await too_wide(page, "/", "/forgot-password/sent", "/sign-up/sent") == []
    await be(page, someone)
    for question in (QUESTION, "x" * 200):
        await page.goto("/chat")
        await page.get_by_label("Your message").fill(question)
        await button(page, "Send").click()
        await expect(page.get_by_text("The answer is complete.")).to_be_attached()
        assert not await page.evaluate(TOO_WIDE)
    assert await too_wide(page, "/chat") == []
