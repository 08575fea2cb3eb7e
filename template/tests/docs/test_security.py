"""What docs/security/asvs.md says is so."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


asvs, plant_faults = script("asvs"), script("plant_faults")
WRITTEN = asvs.PAGE.read_text(encoding="utf-8")


def row(number):
    return re.search(rf"^\| {re.escape(number)} \|.*$", WRITTEN, re.MULTILINE)[0]


def test_every_requirement_of_both_levels_is_decided():
    wanted, tests = asvs.requirements(), asvs.marked()
    assert len(wanted) == 253
    assert {one["level"] for one in wanted.values()} == {1, 2}
    assert set(tests) <= set(wanted), "marked with a number that there is not"
    for number, one in wanted.items():
        reasons = set(one) - {"level"}
        assert reasons <= set(asvs.REASONS), number
        # What an answer left out of this project is shown by tests that are not here.
        assert len(reasons) == 1 or number in tests or "| met |" in row(number), number


def test_the_page_names_each_test_that_is_marked():
    for number, tests in asvs.marked().items():
        for shown in tests:
            assert str(shown) in row(number), f"{number}: run `python scripts/asvs.py`."


def test_a_requirement_is_met_only_by_a_test():
    """In a project with everything on, each row is as the tests and requirements.toml have it."""
    present = {one.file for tests in asvs.marked().values() for one in tests}
    named = set(re.findall(r"\(`([\w/]+\.py)`\)", WRITTEN))
    if named <= present:
        for number, line in asvs.rows().items():
            assert line == row(number), "Run `python scripts/asvs.py`."
    for number in asvs.requirements():
        if "| met |" in row(number):
            assert re.search(r"\(`[\w/]+\.py`\)", row(number)), number


@pytest.mark.parametrize("fault", plant_faults.faults([]), ids=lambda one: one["what"])
def test_a_planted_fault_fits_the_code(fault):
    """`make faults` plants them; here only that none of them has come loose."""
    file, (test, _, name) = ROOT / fault["file"], fault["test"].partition("::")
    assert fault["old"] != fault["new"]
    assert set(fault.get("asvs", [])) <= set(asvs.requirements())
    if file.exists() and (ROOT / test).exists():
        assert file.read_text(encoding="utf-8").count(fault["old"]) == 1, fault["file"]
        assert re.search(rf"def {name}\(", (ROOT / test).read_text(encoding="utf-8")), fault["test"]
