"""The inventories of docs/security tell of everything that is there."""

import re
from pathlib import Path

import pytest

from scripts import inventory
from tests.docs.test_generated import document as document  # puts the root on the path

ROOT = Path(__file__).parent.parent.parent
# A licence that would ask for the app's own source.
COPYLEFT = re.compile(r"\b(A?GPL|GNU (Affero )?General)", re.IGNORECASE)
WRITES = re.compile(r"\bprint\(|sys\.std(out|err)|FileHandler|SysLogHandler|HTTPHandler")


@pytest.mark.asvs("15.1.2")
def test_every_package_comes_from_one_place_with_its_hash():
    for package in inventory.packages():
        assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]
        files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        assert files
        assert all(one["hash"].startswith("sha256:") for one in files), package["name"]


@pytest.mark.asvs("15.1.2")
def test_what_runs_has_a_licence_that_is_known_and_asks_for_no_source():
    runs = inventory.running()
    assert {"fastapi", "starlette", "psycopg"} <= runs
    assert "pytest" not in runs
    for package in sorted(runs):
        told = inventory.licence(package)
        assert told != inventory.NOT_TOLD, package
        assert not COPYLEFT.search(told.replace("LGPL", "")), (package, told)


@pytest.mark.asvs("16.1.1")
def test_every_event_has_a_name_and_stands_in_the_inventory():
    written = (ROOT / "docs" / "security" / "logs.md").read_text(encoding="utf-8")
    events = {name for name, _, _ in inventory.logged()}
    actions = {name for name, _ in inventory.audited()}
    assert {"request", "audit.tampered"} <= events
    assert {"session.started", "user.suspended", "role.created"} <= actions
    for name in events | actions:
        assert f"| `{name}` |" in written, "Run `python scripts/document.py`."


@pytest.mark.asvs("16.2.3")
def test_the_running_app_writes_to_its_log_only():
    """Commands talk to whoever typed them, and the logging itself writes to standard output."""
    talks = {"cli.py", "dev.py", "core/logging.py", "core/commands.py"}
    for path in (ROOT / "app").rglob("*.py"):
        name = path.relative_to(ROOT / "app").as_posix()
        if name not in talks and path.name != "commands.py" and "embedded" not in name:
            assert not WRITES.search(path.read_text(encoding="utf-8")), name
