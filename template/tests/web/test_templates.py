"""Rules that every template of every module keeps. The header blocks what they bar."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import app
from app.web.render import environment

ROOT = Path(app.__file__).parent
PAGES = sorted(ROOT.glob("*/templates/**/*.html"))
JINJA = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}", re.DOTALL)


class Attributes(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, name, value or "") for name, value in attrs]
        self.found.append((tag, "", ""))


def markup(path: Path) -> Attributes:
    # Expressions give way to a word; what they print is escaped.
    return Attributes(JINJA.sub("jinja", path.read_text("utf-8")))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_are_templates() -> None:
    assert len(PAGES) > 5


@pytest.mark.asvs("1.2.3")
@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_style_and_no_script_stand_inside_a_page(path: Path) -> None:
    for tag, name, value in markup(path).found:
        assert name != "style", f"<{tag} style>"
        assert not name.startswith(("on", "hx-on")), f"<{tag} {name}>"
        assert not value.strip().lower().startswith("javascript:"), f"<{tag} {name}>"
        assert tag != "style"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_scripts_are_files_of_ours_with_the_nonce(path: Path) -> None:
    source = re.sub(r"{#.*?#}", "", path.read_text("utf-8"), flags=re.DOTALL)
    for attributes, body in re.findall(r"<script\b([^>]*)>(.*?)</script>", source, re.DOTALL):
        assert 'nonce="{{ csp_nonce }}"' in attributes
        # But for the widget of a challenge: `tests/abuse/test_pages_challenge.py`.
        if path.name != "_challenge.html":
            assert re.search(r"src=\"{{ static\('[^']+'\) }}\"", attributes)
        assert not body.strip()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_nothing_comes_from_another_site(path: Path) -> None:
    for tag, name, value in markup(path).found:
        if name in {"src", "href", "action", "formaction", "data", "poster", "srcset"}:
            assert not re.match(r"\s*(https?:)?//", value), f"<{tag} {name}={value!r}>"


@pytest.mark.asvs("1.1.2")
@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_nothing_is_marked_safe_by_hand(path: Path) -> None:
    written = re.findall(r"(\S+)\s*\|\s*safe\b", path.read_text("utf-8"))

    # Only text that stands in the template itself.
    assert [one for one in written if not one.startswith('"')] == []
    assert "{% autoescape" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_posted_form_is_written_by_the_macro(path: Path) -> None:
    """A form written by hand forgets the forgery token one day."""
    if path.name == "macros.html":
        return
    source = JINJA.sub("jinja", path.read_text("utf-8"))

    assert not re.search(r"<form\b[^>]*method=[\"']?post", source, re.IGNORECASE)


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_template_compiles(path: Path) -> None:
    template = path.relative_to(next(one for one in path.parents if one.name == "templates"))

    assert environment().get_template(template.as_posix()).name == template.as_posix()


@pytest.mark.asvs("6.2.7")
def test_password_managers_are_told_what_each_field_is() -> None:
    """And nothing listens for pasting or turns a manager away."""
    fields = 0
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for field in re.findall(r'ui\.field\(.*type="password".*\)', text):
            fields += 1
            assert re.search(r'"autocomplete": "(current|new)-password"', field), path
    assert fields > 5
    for path in [*PAGES, *ROOT.glob("*/static/**/*.js")]:
        if "htmx" not in path.name:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\bonpaste\b|[\"']paste[\"']", text), path


FORMATTED = re.compile(r'"([^"]*)"\s*\|\s*format\(')
PLACES = re.compile(r"(?:[^%]|%%|%[+ 0]?\d*(?:\.\d+)?[sdf])*")


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_sign_of_per_cent_in_what_is_formatted_is_written_twice(path: Path) -> None:
    """Otherwise its page breaks, and only where there is something to show."""
    for words in FORMATTED.findall(path.read_text("utf-8")):
        assert PLACES.fullmatch(words), words
