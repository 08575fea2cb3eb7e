"""Pages that follow from the code say what the code does."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

spec = importlib.util.spec_from_file_location("document", ROOT / "scripts" / "document.py")
document = importlib.util.module_from_spec(spec)
spec.loader.exec_module(document)


def rows(text):
    """The first column of each table row, and of routes who may call them."""
    return set(re.findall(r"^\| (`[^`]+`) \|", text, re.MULTILINE))


@pytest.mark.parametrize("name", document.PAGES)
def test_the_page_knows_everything_that_there_is(name):
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    missing = rows(document.PAGES[name]()) - rows(written)
    assert not missing, "Run `python scripts/document.py`."


def test_the_table_of_access_is_the_code_s():
    """Row by row; a project that left modules out has fewer rows than the page."""
    written = (ROOT / "docs" / "access.md").read_text(encoding="utf-8").splitlines()
    for line in document.access_page().splitlines():
        assert line in written, "Run `python scripts/document.py`."


def test_every_setting_says_what_it_is_for():
    for kind in document.settings_kinds():
        texts = document.field_texts(kind)
        bare = set(kind.model_fields) - set(texts) - {"log_level"}
        assert not bare, f"{kind.__name__}: {bare}"
