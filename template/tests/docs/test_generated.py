"""Pages that follow from the code say what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
COMPONENTS = "security/components.md"

spec = importlib.util.spec_from_file_location("document", ROOT / "scripts" / "document.py")
document = importlib.util.module_from_spec(spec)
spec.loader.exec_module(document)


@pytest.mark.parametrize("name", [one for one in document.PAGES if one != COMPONENTS])
def test_the_page_is_what_the_code_says(name):
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == document.PAGES[name](), "Run `make docs`."


def test_the_page_of_components_names_each_that_is_locked():
    """What else it says of a package, such as its licence, may differ by machine."""
    written = (ROOT / "docs" / COMPONENTS).read_text(encoding="utf-8")
    assert rows(document.PAGES[COMPONENTS]()) == rows(written), "Run `make docs`."


@pytest.mark.parametrize("name", document.PAGES)
def test_the_page_names_files_that_are_there(name):
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for path in re.findall(r"(?<![\w/.])(?:app|tests|scripts)/[\w/.]*\w", written):
        assert (ROOT / path).exists(), path


def rows(text):
    """The first column of each row."""
    return set(re.findall(r"^\| (`[^`]+`) \|", text, re.MULTILINE))


def test_every_setting_says_what_it_is_for():
    for kind in document.settings_kinds():
        texts = document.field_texts(kind)
        bare = set(kind.model_fields) - set(texts) - {"log_level"}
        assert not bare, f"{kind.__name__}: {bare}"
