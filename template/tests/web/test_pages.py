"""Around the pages: messages, the way on, problems, the theme."""

import json
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import quote

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from starlette.datastructures import URL

from app.access.forgery import BROWSER_COOKIE
from app.core import problems
from app.core.errors import Conflict, NotFound, TooMany
from app.web import charts, flash, formats, problem_pages
from app.web.navigation import ACCOUNT, Link, around
from app.web.redirects import with_next
from app.web.render import BROWSER_COOKIE as COOKIE_OF_PAGES
from app.web.render import FAVICON, render
from app.web.static_files import files
from tests.web.gallery import TOKEN, Viewer


def request(path: str = "/", method: str = "GET", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    url = URL(f"https://testserver{path}")
    return Request(
        {
            "type": "http",
            "method": method,
            "scheme": "https",
            "path": url.path,
            "query_string": url.query.encode(),
            "headers": [(b"host", b"testserver"), *raw],
        }
    )


def cookie_of(response: Response, name: str) -> str:
    (line,) = [one for one in response.headers.getlist("set-cookie") if one.startswith(name)]
    return line


# ── Messages ──────────────────────────────────────────────────────────────────────────────────


async def test_a_message_is_shown_once_on_the_next_page(pages: httpx2.AsyncClient) -> None:
    body = {
        "name": "Ada",
        "email": "ada@example.com",
        "password": "x",
        "terms": "true",
        "csrf_token": TOKEN,
    }
    sent = await pages.post("/enquiry", data=body)
    assert sent.status_code == 303

    first, second = await pages.get("/enquiry"), await pages.get("/enquiry")

    assert "Thank you, we have it." in first.text
    assert "Thank you, we have it." not in second.text


def test_the_cookie_of_a_message_is_for_our_server_only() -> None:
    line = cookie_of(flash.redirect("/", "Saved."), flash.COOKIE)

    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=60"} <= set(line.split("; "))


@pytest.mark.parametrize("change", ["body", "signature", "empty", "nonsense"])
def test_a_message_that_we_did_not_sign_is_not_shown(change: str) -> None:
    value = cookie_of(flash.redirect("/", "Saved."), flash.COOKIE).partition(";")[0]
    value = value.partition("=")[2]
    body, _, signature = value.partition(".")
    forged = {
        "body": f"{body[:-4]}AAAA.{signature}",
        "signature": f"{body}.{'0' * len(signature)}",
        "empty": "",
        "nonsense": "ä.ö",
    }[change]

    assert flash.waiting(request(cookie=f"{flash.COOKIE}={value}")) == [flash.Message("Saved.")]
    assert flash.waiting(request(cookie=f"{flash.COOKIE}={forged}")) == []


def test_an_old_message_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    value = cookie_of(flash.redirect("/", "Saved."), flash.COOKIE).partition(";")[0]

    monkeypatch.setattr(flash, "time", lambda: time.time() + flash.SECONDS + 2)

    assert flash.waiting(request(cookie=value)) == []


def test_a_toast_travels_in_a_header_whatever_its_letters() -> None:
    response = Response()

    flash.toast(response, "Gelöscht ✓\r\nX-Evil: 1", "danger")

    header = response.headers["HX-Trigger"]
    assert header.isascii()
    assert "\n" not in header
    assert json.loads(header)["toast"] == {"text": "Gelöscht ✓\r\nX-Evil: 1", "tone": "danger"}


# ── The way on ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (request("/audit?page=2"), "/sign-in?next=%2Faudit%3Fpage%3D2"),
        (request("/"), "/sign-in"),
        (
            request("/x", "POST", referer="https://testserver/form?a=1"),
            "/sign-in?next=%2Fform%3Fa%3D1",
        ),
        (request("/x", "POST", referer="https://evil.example/form"), "/sign-in"),
        (request("/x", "POST"), "/sign-in"),
    ],
)
def test_signing_in_leads_back_to_the_page(made: Request, expected: str) -> None:
    assert with_next("/sign-in", made) == expected


# ── Problems ──────────────────────────────────────────────────────────────────────────────────


class Closed(Conflict):
    pass


@pytest.fixture
async def troubled(monkeypatch: pytest.MonkeyPatch) -> httpx2.AsyncClient:
    made = FastAPI()
    problems.install(made, problem_pages.answer)
    monkeypatch.setattr(problem_pages, "remedies", lambda: ((Closed, "/open-it"),))

    @made.api_route("/closed", methods=["GET", "POST"])
    async def closed() -> None:
        raise Closed("It is closed.")

    @made.get("/gone")
    @made.get("/api/gone")
    async def gone() -> None:
        raise NotFound("No such <thing>.")

    @made.get("/busy")
    async def busy() -> None:
        raise TooMany("Wait a little.", retry_after=20)

    @made.get("/bug")
    async def bug() -> None:
        raise RuntimeError("secret detail")

    transport = httpx2.ASGITransport(app=made, raise_app_exceptions=False)
    return httpx2.AsyncClient(
        transport=transport, base_url="https://testserver", headers={"Accept": "text/html"}
    )


async def test_people_see_a_problem_as_a_page(troubled: httpx2.AsyncClient) -> None:
    response = await troubled.get("/gone")

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert "No such &lt;thing&gt;." in response.text


async def test_programs_see_it_as_a_problem_document(troubled: httpx2.AsyncClient) -> None:
    for response in (
        await troubled.get("/api/gone"),
        await troubled.get("/gone", headers={"Accept": "application/json"}),
        await troubled.get("/gone", headers={"HX-Request": "true"}),
    ):
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


async def test_an_unknown_address_says_so_in_a_sentence(troubled: httpx2.AsyncClient) -> None:
    response = await troubled.get("/nowhere")

    assert response.status_code == 404
    assert "The address may be mistyped" in response.text


async def test_a_page_keeps_the_headers_of_its_problem(troubled: httpx2.AsyncClient) -> None:
    response = await troubled.get("/busy")

    assert response.status_code == 429
    assert response.headers["retry-after"] == "20"


@pytest.mark.asvs("16.5.1")
async def test_nothing_of_a_bug_reaches_the_page(troubled: httpx2.AsyncClient) -> None:
    response = await troubled.get("/bug")

    assert response.status_code == 500
    assert "Something went wrong on our side" in response.text
    assert "secret detail" not in response.text


async def test_a_problem_that_another_page_solves_leads_there(troubled: httpx2.AsyncClient) -> None:
    page = await troubled.get("/closed?a=1")
    form = await troubled.post("/closed", headers={"Referer": "https://testserver/form"})
    script = await troubled.post("/closed", headers={"HX-Request": "true"})

    assert (page.status_code, page.headers["location"]) == (303, "/open-it?next=%2Fclosed%3Fa%3D1")
    assert (form.status_code, form.headers["location"]) == (303, "/open-it?next=%2Fform")
    assert (script.status_code, script.headers["hx-redirect"]) == (200, "/open-it")


# ── The frame ─────────────────────────────────────────────────────────────────────────────────


def test_links_stand_in_sections_and_only_for_those_who_may() -> None:
    links = [
        Link("Chat", "/chat"),
        Link("Audit", "/admin/audit", "audit.read", "Administration"),
        Link("Secret", "/admin/secret", "nobody.may", "Administration"),
        Link("Security", "/account", "", ACCOUNT),
    ]

    found = around("/admin/audit/7", Viewer(), links)

    assert {
        title: [one.label for one in links] for title, links in found["navigation"].items()
    } == {
        "": ["Chat"],
        "Administration": ["Audit"],
    }
    assert [link.label for link in found["account_links"]] == ["Security"]
    assert found["current_path"] == "/admin/audit"
    assert found["current_section"] == "Administration"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/admin", "/admin"), ("/admin/users/3", "/admin/users"), ("/administer", ""), ("/", "")],
)
def test_the_longest_link_that_leads_here_is_the_current_one(path: str, expected: str) -> None:
    links = [Link("Admin", "/admin"), Link("Users", "/admin/users")]

    assert around(path, Viewer(), links)["current_path"] == expected


async def test_someone_half_way_through_signing_in_sees_no_navigation() -> None:
    made = request("/sign-in/code")
    response = render(
        made,
        "web/error.html",
        person=Viewer(level="pending"),
        code=404,
        title="T",
        detail="",
        request_id="",
    )

    assert b'id="navigation"' not in response.body


@pytest.mark.parametrize(
    ("cookie", "attribute"),
    [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"'), ('x"onload=', None)],
)
async def test_the_chosen_theme_is_in_the_page_from_its_first_byte(
    pages: httpx2.AsyncClient, cookie: str, attribute: str | None
) -> None:
    html = (await pages.get("/enquiry", headers={"Cookie": f"theme={cookie}"})).text

    tag = html[html.index("<html") : html.index(">", html.index("<html"))]
    assert (attribute in tag) if attribute else ("data-theme" not in tag)


def test_a_new_browser_gets_its_cookie_with_the_page() -> None:
    made = request("/")
    made.state.new_browser = "abc"

    response = render(made, "web/error.html", code=404, title="T", detail="", request_id="")

    line = cookie_of(response, BROWSER_COOKIE)
    assert COOKIE_OF_PAGES == BROWSER_COOKIE
    assert line.startswith(f"{BROWSER_COOKIE}=abc")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(line.split("; "))


async def test_scripts_carry_the_nonce_of_the_answer(pages: httpx2.AsyncClient) -> None:
    first, second = await pages.get("/enquiry"), await pages.get("/enquiry")

    for response in (first, second):
        policy = response.headers["content-security-policy"]
        nonce = policy.partition("'nonce-")[2].partition("'")[0]
        assert (
            response.text.count(f'<script nonce="{nonce}"') == response.text.count("<script") >= 2
        )
    assert first.headers["content-security-policy"] != second.headers["content-security-policy"]


@pytest.mark.asvs("3.4.3", "3.4.6")
async def test_a_page_may_not_be_framed_nor_send_its_forms_elsewhere(
    pages: httpx2.AsyncClient,
) -> None:
    policy = (await pages.get("/enquiry")).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    assert rules["frame-ancestors"] == rules["base-uri"] == rules["default-src"] == "'none'"
    assert rules["form-action"] == "'self'"
    assert "unsafe" not in policy


async def test_the_icon_in_the_tab_has_the_colour_of_the_brand(pages: httpx2.AsyncClient) -> None:
    html = (await pages.get("/")).text

    css = files()["app.css"].content.decode()
    accent = css.partition("--accent: light-dark(")[2].partition(",")[0]
    assert f'href="data:image/svg+xml,{quote(FAVICON.partition("<rect")[0])}' in html
    assert quote(f'fill="{accent}"') in html


# ── Values ────────────────────────────────────────────────────────────────────────────────────


def test_times_are_shown_in_utc_and_readable_by_machines() -> None:
    summer = timezone(timedelta(hours=2))
    moment = datetime(2026, 7, 1, 1, 30, 5, 999, tzinfo=summer)

    assert formats.when(moment) == (
        '<time datetime="2026-06-30T23:30:05Z">30 Jun 2026, 23:30 UTC</time>'
    )
    assert formats.day(moment) == '<time datetime="2026-06-30T23:30:05Z">30 Jun 2026</time>'
    assert formats.when(moment, seconds=True).endswith("23:30:05 UTC</time>")
    assert formats.when(None, "<b>") == "&lt;b&gt;"
    with pytest.raises(ValueError, match="zone"):
        formats.when(moment.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "$0.00"),
        (Decimal("0.0042137"), "$0.0042"),
        (Decimal("0.00000123"), "$0.0000012"),
        (0.1, "$0.10"),
        (41.5, "$41.50"),
        (1234.5, "$1,234.50"),
        (5000, "$5,000"),
        (-0.05, "$-0.050"),
    ],
)
def test_money_keeps_the_digits_that_say_something(value: float, expected: str) -> None:
    assert formats.money(value) == expected


def test_numbers_are_short_where_space_is() -> None:
    shown = [formats.short_number(value) for value in (0, 0.5, 999, 1500, 2_000_000, Decimal(3))]

    assert shown == ["0", "0.5", "999", "1.5k", "2M", "3"]
    edge = (999.9, 999_949, 999_950, 999_999_999)
    assert [formats.short_number(value) for value in edge] == ["999.9", "999.9k", "1M", "1B"]
    assert formats.number(1234567) == "1,234,567"
    assert formats.number(0.5) == "0.50"


@pytest.mark.parametrize(
    ("top", "expected"), [(0, 1), (7, 8), (10, 10), (11, 15), (2700, 3000), (0.034, 0.04)]
)
def test_a_scale_ends_at_the_next_round_number(top: float, expected: float) -> None:
    assert charts.ceiling([0, top]) == pytest.approx(expected)


def test_bars_fill_their_share_of_the_plot() -> None:
    low, high = charts.bars([("a", Decimal(1)), ("b", 2)])

    assert (high.y, high.height) == (0, 100)
    assert (low.y, low.height) == (50, 50)
    assert low.x + low.width < high.x < 100


@pytest.mark.parametrize("count", [1, 5, 6, 7, 30, 31, 365])
def test_labels_below_a_plot_are_few_and_end_with_the_last(count: int) -> None:
    found = charts.marks([str(n) for n in range(count)], under_bars=True)

    assert len(found) <= charts.LABELS_AT_MOST
    assert found[-1].text == str(count - 1)
