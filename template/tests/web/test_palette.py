"""The colours can be read, in light and dark. WCAG 2.2: contrast of 4.5 for text, 3 for edges."""

import re
from pathlib import Path

import pytest

import app

STATIC = Path(app.__file__).parent / "web" / "static"
CSS = (STATIC / "app.css").read_text("utf-8")
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS
    )
}
GROUNDS = ["canvas", "surface", "raised", "sunken"]
TEXT = [
    *(("text", ground) for ground in [*GROUNDS, "accent-soft"]),
    *(("text-muted", ground) for ground in GROUNDS),
    *(("accent-text", ground) for ground in [*GROUNDS, "accent-soft"]),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-danger", "danger"),
    ("on-danger", "danger-hover"),
    *(
        pair
        for tone in ("success", "warning", "danger")
        for pair in (
            (f"{tone}-text", f"{tone}-soft"),
            (f"{tone}-text", "surface"),
            (f"{tone}-text", "raised"),
            ("text", f"{tone}-soft"),
        )
    ),
]
EDGES = [
    *(("line-strong", ground) for ground in ("surface", "raised")),
    *(("focus", ground) for ground in GROUNDS),
    *((f"chart-{number}", "surface") for number in (2, 3, 4)),
    ("accent", "surface"),
    ("danger", "surface"),
]


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground"), TEXT)
def test_text_can_be_read(front: str, ground: str, scheme: int) -> None:
    assert contrast(TOKENS[front][scheme], TOKENS[ground][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground"), EDGES)
def test_edges_of_controls_and_charts_can_be_seen(front: str, ground: str, scheme: int) -> None:
    assert contrast(TOKENS[front][scheme], TOKENS[ground][scheme]) >= 3


def test_every_colour_token_is_measured_or_only_decorates() -> None:
    decoration = {"line"}

    assert TOKENS.keys() - {name for pair in TEXT + EDGES for name in pair} == decoration


def test_components_take_their_colours_from_tokens() -> None:
    rules = "".join(
        path.read_text("utf-8").split("@layer reset {")[-1] for path in STATIC.glob("*.css")
    )
    # White behind a QR code, and the shade behind a dialog.
    assert set(re.findall(r"#[0-9a-f]{3,8}\b", rules)) <= {"#fff", "#0a0c1066", "#0a0c1080"}


def test_no_class_is_used_that_the_style_sheets_do_not_know() -> None:
    sheets = Path(app.__file__).parent.glob("*/static/*.css")
    known = set(re.findall(r"\.([a-z][\w-]*)", "".join(p.read_text("utf-8") for p in sheets)))
    used = {
        word
        for path in Path(app.__file__).parent.glob("*/templates/**/*.html")
        for value in re.findall(r'class="([^"{]*)"', path.read_text("utf-8"))
        for word in value.split()
    }

    assert used - known == set()


def test_the_style_sheet_stays_small() -> None:
    assert len(CSS.encode()) < 32_000


def test_the_style_sheet_asks_nothing_of_other_sites() -> None:
    for path in STATIC.glob("*.css"):
        assert not re.search(r"url\(|@import|https?:", path.read_text("utf-8")), path.name
