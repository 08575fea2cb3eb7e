"""What `make test` leaves out for its time runs elsewhere: no test is never run."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LEFT_OUT = "-m 'not slow'"


def recipe(name):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return re.search(rf"^{name}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]


def test_all_but_the_slow_ones_are_in_test_all():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert LEFT_OUT in declared["tool"]["pytest"]["ini_options"]["addopts"]
    assert " -m " not in recipe("test-all").replace("-m pytest", "")
    assert "tests" not in recipe("test-all"), "all of tests/, no folder of it"


def test_the_slow_ones_have_recipes():
    assert "-m slow tests/contract" in recipe("contract")
    assert "tests/drills)" in recipe("drill")
    marked = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"mark\.slow\b", path.read_text(encoding="utf-8"))
    ]
    assert [
        path for path in marked if not path.startswith(("tests/contract/", "tests/drills/"))
    ] == []


def test_what_is_called_costly_is_there():
    named = (ROOT / "tests" / "costly.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("::") for line in named if not line.startswith("#")]
    files = {file: ROOT / "tests" / file for file, _ in names}
    # What an answer leaves out has no file here, and the assistant's are its team's to change.
    texts = {
        name: path.read_text(encoding="utf-8")
        for name, path in files.items()
        if path.exists() and not name.startswith("assistant/")
    }

    assert names
    gone = [
        (file, name)
        for file, name in names
        if f"def {name}(" not in texts.get(file, f"def {name}(")
    ]
    assert gone == [], "write the list anew: scripts/costly_tests.py"


def test_ci_runs_both():
    workflow = ROOT / ".github" / "workflows" / "ci.yml"
    if not workflow.exists():
        pytest.skip("Another CI than GitHub's.")
    told = workflow.read_text(encoding="utf-8")
    for name in ("check", "test-all", "contract"):
        assert f"- run: make {name}\n" in told
