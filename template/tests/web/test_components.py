"""The building blocks: they escape, they are bound to their labels, and they all draw."""

import re
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from jinja2 import UndefinedError
from markupsafe import escape
from starlette.requests import Request

from app.core.settings import ROOT, answers
from app.web.forms import Form
from app.web.icons import icons
from app.web.render import environment
from tests.web.gallery import NAVIGATION, TEMPLATES, TOKEN

EVIL = "<script>alert('x')</script>\"'>"


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def draw(source: str, **context: Any) -> str:
    """A template as a page would draw it."""
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    variables = {"request": request, "csrf_token": TOKEN, "theme": ""} | context
    variables["ui"] = environment().get_template("web/macros.html").make_module(variables)
    return environment().from_string(source).render(variables)


def macros() -> list[str]:
    source = environment().loader.get_source(environment(), "web/macros.html")[0]  # type: ignore[union-attr]
    return re.findall(r"{% macro (\w+)\(", source)


CALLS = {
    "brand": "ui.brand()",
    "environment_badge": "ui.environment_badge()",
    "theme_toggle": "ui.theme_toggle()",
    "page_header": "ui.page_header(evil, evil)",
    "breadcrumbs": "ui.breadcrumbs([(evil, '/'), (evil, none)])",
    "tabs": "ui.tabs([(evil, evil)], evil, label=evil)",
    "button": "ui.button(evil, name=evil, value=evil, icon='plus', attributes={'data-x': evil})",
    "icon_button": "ui.icon_button(evil, 'edit', attributes={'data-x': evil})",
    "live_search": "ui.live_search(evil, evil, evil, evil)",
    "copy_button": "ui.copy_button(evil, evil)",
    "csrf": "ui.csrf()",
    "error_summary": "ui.error_summary(form)",
    "field": "ui.field(form, 'name', evil, hint=evil, value=evil, attributes={'data-x': evil})",
    "field_error": "ui.field_error('id', evil)",
    "checkbox": "ui.checkbox(form, 'name', evil, hint=evil)",
    "choices": "ui.choices(form, 'name', evil, [(evil, evil, evil)])",
    "checkboxes": "ui.checkboxes(form, 'name', evil, [(evil, evil, evil)], hint=evil)",
    "badge": "ui.badge(evil, icon='check')",
    "alert": "ui.alert(evil, 'danger', title=evil)",
    "toast": "ui.toast(evil, 'danger')",
    "pagination": "ui.pagination(evil, previous=evil, next=evil)",
    "empty": "ui.empty(evil, evil)",
    "stat": "ui.stat(evil, evil, evil, share=0.5)",
    "meter": "ui.meter(evil, 2)",
    "details": "ui.details([(evil, evil)])",
    "avatar": "ui.avatar(evil)",
    "said": "ui.said(evil)",
    "dialog_cancel": "ui.dialog_cancel(evil)",
    "code_block": "ui.code_block(evil, evil)",
    "code_grid": "ui.code_grid([evil])",
    "chart_bars": "ui.chart_bars(evil, [(evil, 3), (evil, 0)], note=evil)",
    "chart_ranks": "ui.chart_ranks(evil, [(evil, 3), (evil, 0)], most=4)",
    "chart_line": "ui.chart_line(evil, [evil, evil], [(evil, [1, 2]), (evil, [2, 1])])",
    # These wrap what their caller writes.
    "form": "call ui.form(evil, attributes={'data-x': evil})",
    "card": "call ui.card(evil, evil, danger=true)",
    "table": "call ui.table(evil, [evil, {'label': evil, 'class': 'numeric'}])",
    "dialog": "call ui.dialog('sure', evil, evil)",
}


@pytest.mark.asvs("1.2.1", "3.2.2")
@pytest.mark.parametrize("name", CALLS)
def test_what_people_typed_stays_text(name: str) -> None:
    form: Form[Any] = Form(None, {"name": EVIL, "": EVIL}, {"name": EVIL})
    call = CALLS[name]
    body = f"{{% {call} %}}{{{{ evil }}}}{{% endcall %}}"
    source = body if call.startswith("call ") else f"{{{{ {call} }}}}"

    html = draw(source, evil=EVIL, form=form)

    found = Elements(html)
    assert not found.all("script")
    assert "&lt;" in html or "evil" not in call
    # The quotes in it must not have opened an attribute of their own either.
    assert all("alert('x')" not in name for _, attributes in found.tags for name in attributes)


def test_every_macro_is_drawn_by_the_test_above() -> None:
    assert set(macros()) | {"chart_bars", "chart_line", "chart_ranks"} == set(CALLS)


@pytest.mark.parametrize(
    "kind", ["text", "email", "password", "code", "number", "textarea", "select"]
)
def test_a_field_is_bound_to_its_label_its_hint_and_its_mistake(kind: str) -> None:
    form: Form[Any] = Form(None, {"town": "Please fill this in."}, {})

    html = draw(
        "{{ ui.field(form, 'town', 'Town', type=kind, hint='Where', options=[('a', 'A')]) }}",
        form=form,
        kind=kind,
    )

    found = Elements(html)
    (control,) = found.all("input", "textarea", "select")
    ids = {attributes.get("id") for _, attributes in found.tags}
    assert found.all("label")[0]["for"] == control["id"]
    assert control["aria-invalid"] == "true"
    assert (control["aria-describedby"] or "").split() == ["field-town-error", "field-town-hint"]
    assert {"field-town-error", "field-town-hint"} <= ids
    assert "required" in control


def test_a_password_is_never_filled_in_again() -> None:
    form: Form[Any] = Form(None, {}, {"password": "hunter2-hunter2"})

    html = draw("{{ ui.field(form, 'password', 'Password', type='password') }}", form=form)

    assert "hunter2" not in html


def test_a_posted_form_carries_the_forgery_token() -> None:
    html = draw("{% call ui.form('/x') %}{% endcall %}")

    (hidden,) = Elements(html).all("input")
    assert hidden["name"] == "csrf_token"
    assert hidden["value"] == TOKEN


def test_a_form_on_a_page_without_a_token_fails_when_drawn_not_when_sent() -> None:
    variables: dict[str, Any] = {"theme": ""}
    ui = environment().get_template("web/macros.html").make_module(variables)

    with pytest.raises(UndefinedError, match="csrf_token"):
        environment().from_string("{% call ui.form('/x') %}{% endcall %}").render(ui=ui)


@pytest.mark.asvs("14.2.1")
def test_a_form_sent_by_get_leaks_no_token_into_addresses() -> None:
    assert TOKEN not in draw("{% call ui.form('/x', method='get') %}{% endcall %}")


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_charts_also_give_their_numbers_as_a_table(count: int) -> None:
    points = [(f"Day {n}", n * 1.5) for n in range(count)]
    labels, values = [label for label, _ in points], [value for _, value in points]

    for html in (
        draw("{{ ui.chart_bars('Calls', points) }}", points=points),
        draw("{{ ui.chart_line('Calls', labels, [('A', values)]) }}", labels=labels, values=values),
    ):
        found = Elements(html)
        assert len(found.all("td")) == count
        assert all(f"Day {n}" in found.text for n in range(count))


@pytest.mark.parametrize("count", [0, 1, 9])
def test_each_of_several_things_has_its_name_and_number_to_be_seen(count: int) -> None:
    points = [(f"feature.number-{n}", Decimal(n)) for n in range(count)]
    html = draw("{{ ui.chart_ranks('Cost', points, format='money') }}", points=points)

    found = Elements(html)
    assert "hidden-visually" not in html
    assert all(f"feature.number-{n}" in found.text for n in range(count))
    widths = [float(one) for one in re.findall(r'<rect [^>]*width="([\d.]+)%"', html)]
    assert widths == [round(100 * n / max(count - 1, 1), 3) for n in range(count)]
    half = draw("{{ ui.chart_ranks('Passed', [('a', 50)], most=100) }}")
    assert 'width="50.0%"' in half


def test_where_nothing_was_measured_a_line_has_a_gap_and_no_zero() -> None:
    values = [2.0, None, 4.0, 4.0, None]

    html = draw("{{ ui.chart_line('Wait', 'abcde', [('A', values)]) }}", values=values)

    assert re.findall(r'd="([^"]+)"', html) == ["M0.0 50.0h0M50.0 0.0L75.0 0.0"]
    assert 'cx="75.0%"' in html
    assert re.findall(r"<td>(.*?)</td>", html) == ["2", "–", "4", "4", "–"]
    assert draw("{{ ui.chart_line('Wait', 'ab', [('A', [none, none])]) }}").count("<circle") == 0


def test_a_title_holds_the_heading_once_escaped() -> None:
    html = draw(
        "{% extends 'web/layout.html' %}{% block heading %}Q&amp;A {{ word }}{% endblock %}",
        word="<b>",
        signed_in=False,
        csp_nonce="n",
        messages=list,
        impersonation=None,
        impersonates=False,
    )

    title = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
    assert title
    assert title[1] == f"Q&amp;A &lt;b&gt; · {escape(answers()['project']['name'])}"


def test_icons_are_decoration_and_safe_to_place_anywhere() -> None:
    assert len(icons()) >= 40
    for name, drawing in icons().items():
        assert 'aria-hidden="true"' in drawing, name
        assert not Elements(drawing).all("script", "use", "image"), name
        assert "http" not in drawing, name


def test_an_unknown_icon_is_an_error() -> None:
    with pytest.raises(KeyError):
        draw("{{ icon('no-such-icon') }}")


@pytest.mark.parametrize(
    "path", ["/", "/components", "/table", "/usage", "/chat", "/chat/1", "/enquiry", "/error?in=1"]
)
async def test_no_id_stands_twice_and_every_reference_leads_somewhere(pages, path: str) -> None:
    found = Elements((await pages.get(path)).text)

    ids = [attributes["id"] for _, attributes in found.tags if attributes.get("id")]
    wanted = [
        word
        for _, attributes in found.tags
        for name in ("for", "aria-labelledby", "aria-describedby", "popovertarget")
        for word in (attributes.get(name) or "").split()
    ]
    assert sorted(set(ids)) == sorted(ids)
    assert set(wanted) <= set(ids)
    assert len(found.all("h1")) == 1
    assert len(found.all("main")) == 1


async def test_the_frame_shows_the_links_a_person_may_follow(pages) -> None:
    html = (await pages.get("/usage")).text

    shown = {one.get("href"): one for one in Elements(html).all("a")}
    assert {link.path for link in NAVIGATION if link.permission != "nobody.may"} <= shown.keys()
    assert "/secret" not in shown
    assert shown["/usage"]["aria-current"] == "page"
    assert "aria-current" not in shown["/table"]


def test_the_gallery_shows_every_macro() -> None:
    shown = "".join(path.read_text("utf-8") for path in TEMPLATES.rglob("*.html"))
    frame = {"brand", "environment_badge", "theme_toggle", "toast", "csrf", "field_error", "meter"}

    assert {name for name in CALLS if f"ui.{name}(" not in shown} <= frame


def test_the_guide_names_every_macro_and_no_other() -> None:
    guide = (ROOT / "docs" / "design-system.md").read_text("utf-8")
    table = guide.partition("## Building blocks")[2].partition("Those that hold")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")]

    assert set(re.findall(r"`(\w+)`", "".join(rows))) == set(CALLS)


def test_the_guide_names_only_classes_and_filters_that_exist() -> None:
    guide = (ROOT / "docs" / "design-system.md").read_text("utf-8")
    classes, filters = guide.partition("Layout classes:")[2].split("Filters:")
    css = (ROOT / "app" / "web" / "static" / "app.css").read_text("utf-8")

    named = set(re.findall(r"`([a-z-]+)`", classes))
    assert named
    assert {name for name in named if not re.search(rf"\.{name}\b", css)} == set()
    assert set(re.findall(r"`(\w+)`", filters.partition("\n`icon")[0])) == {
        "when", "day", "number", "short_number", "money", "initials"
    } <= environment().filters.keys()  # fmt: skip
