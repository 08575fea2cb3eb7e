"""Whoever follows docs/move-your-proof-of-concept-in.md gets a module that works."""

import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.core import database_roles
from app.modules import has
from tests.asking import through_the_assistant

pytestmark = pytest.mark.dear

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "move-your-proof-of-concept-in.md"
FILE = re.compile(r"`((?:app|tests)/[\w./]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# What a page is made of is not there in a project without a web UI.
HAS_PAGES = has("web")
OF_PAGES = ("/pages.py", "/test_pages.py", ".html")
MIGRATE = """
from app.core import migrate
migrate.upgrade()
path = migrate.new_revision("minutes", "first minutes")
text = path.read_text()
assert {written!r} in text, text
path.write_text(text.replace({written!r}, {edited!r}))
migrate.upgrade()
with migrate.connected() as connection:
    assert migrate.problems(connection) == []
"""


@pytest.fixture
def files() -> dict[str, str]:
    """The files that the page shows."""
    shown = dict(FILE.findall(PAGE.read_text(encoding="utf-8")))
    return {path: text for path, text in shown.items() if HAS_PAGES or not path.endswith(OF_PAGES)}


@pytest.fixture
def project(tmp_path: Path, files: dict[str, str]) -> Path:
    """A copy of this project in which someone did what the page says."""
    # With what Python made of it (to compile the whole app takes seconds), but for what another
    # process is just about to write.
    leave_out = shutil.ignore_patterns("*.pyc.*")
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=leave_out)
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "described.py", "factories.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    for name in ("pyproject.toml", "README.md", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("docs", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=leave_out)
    # The same database server; the tests inside make a database of their own in it.
    (tmp_path / ".local").symlink_to(ROOT / ".local", target_is_directory=True)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def run(project: Path, *words: str, **environment: str) -> None:
    """Run Python in the copy."""
    # A key of whoever runs this would have a real model asked.
    ours = ("LLM_", "OPENAI_", "DATABASE_", "TEST_DATABASE_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env=kept | {"PYTHONPATH": str(project), "APP_ENV": "test"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_shows_every_kind_of_file(files):
    assert {Path(path).name for path in files} >= {
        "answer.py",
        "models.py",
        "permissions.py",
        "service.py",
        "endpoints.py",
        "jobs.py",
        "test_minutes.py",
    }


@through_the_assistant
def test_what_the_page_says_works_and_passes_the_projects_checks(project, database):
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    database_roles.create_database(database.admin, name)
    urls = database.of(name)
    edited = re.search(r"^ {4}(protect\(.*\))$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)[1]
    code = MIGRATE.format(written='protect("minutes")', edited=edited)
    try:
        run(project, "-c", code, DATABASE_URL=urls.app, DATABASE_OWNER_URL=urls.owner)
    finally:
        database_roles.drop_database(database.admin, name)
    folders = ("app/minutes", "app/assistant", "tests/minutes")
    run(project, "-m", "ruff", "check", "--no-cache", *folders)
    run(project, "-m", "ruff", "format", "--check", "--no-cache", *folders)
    run(project, "-c", "from importlinter.cli import lint_imports; exit(lint_imports())")
    run(project, "scripts/document.py")
    assert "`GET /api/minutes`" in (project / "docs" / "access.md").read_text(encoding="utf-8")
    # With the migration in place, its own tests and the chat with its new answer run. What
    # `make docs` writes is what tests want, the table says what it holds, and the call of the model
    # has its switch.
    for path in ("docs/test_generated.py", "core/test_data.py", "flags/test_every_switch.py"):
        (project / "tests" / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / path, project / "tests" / path)
    plain = ("-p", "no:cacheprovider", "-p", "no:xdist")
    chosen = "minutes or table_of_access or knows_everything or has_its_switch"
    run(project, "-m", "pytest", "tests", "-k", chosen, *plain)
