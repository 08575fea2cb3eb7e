"""One project over its life: a module of its own, an update, options switched on and off."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import copier
import pytest
from conftest import INSTALL, ROOT, answers_of, commit_all, git, know_packages
from further import OPTIONS, answered, chosen
from test_update import NEW, OLD, copy, doctor, edit, look_older, make_releases, refused, update

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("known_uv")]

ADOPTER = ROOT / "tests" / "adopter"
KEEP = """
import anyio
from app.core import db
from app.notes import service
from app.users.models import Organization

async def main():
    made = Organization(name="Ours", slug="ours")
    async with db.transaction(elevated=True) as session:
        session.add(made)
    async with db.transaction(organization_id=made.id) as session:
        await service.keep(session, made.id, "Written before the update")

anyio.run(main)
"""
UPGRADED = """
from typer.testing import CliRunner
from app.cli import cli
from app.core import migrate

for command in ("upgrade", "check"):
    migrate.heads.cache_clear()  # a command is a process of its own
    done = CliRunner().invoke(cli, ["db", command])
    assert done.exit_code == 0, (command, done.output, done.exception)
"""
READ = """
import anyio
from sqlalchemy import select, text
from app.core import db
from app.notes import service
from app.users.models import Organization

async def main():
    async with db.transaction(elevated=True) as session:
        query = select(Organization.id).where(Organization.slug == "ours")
        ours = (await session.scalars(query)).one()
    async with db.transaction(organization_id=ours) as session:
        print(await service.texts(session))

anyio.run(main)
"""


MOTTO = """\"\"\"Organisations may have a motto.\"\"\"

import sqlalchemy as sa
from alembic import op

revision = "users_{next}"
down_revision = "users_{last}"


def upgrade() -> None:
    op.add_column("organizations", sa.Column("motto", sa.String(80)))
"""


def newer(source: Path) -> None:
    """The next release gives a table of the template one more column, by a migration."""
    folder = source / "template" / "app" / "users"
    last = sorted((folder / "migrations").glob("[0-9]*.py"))[-1].name[:4]
    following = f"{int(last) + 1:04}"
    migration = folder / "migrations" / f"{following}_motto.py"
    migration.write_text(MOTTO.format(next=following, last=last))
    column = "    slug: Mapped[str] = mapped_column(String(60), unique=True)\n"
    further = "    motto: Mapped[str | None] = mapped_column(String(80))\n"
    edit(folder / "models.py", column, column + further)


def run(project: Path, *command: str) -> str:
    # As people run it: Python leaves its cache behind in the folders that an update takes away.
    unset = {"APP_ENV", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def set_up(project: Path) -> None:
    if not (project / ".venv").exists():
        run(project, "make", *INSTALL)
        know_packages(project)
    run(project, "make", "setup")


def app(project: Path, *arguments: str) -> str:
    return run(project, str(project / ".venv" / "bin" / "app"), *arguments)


def python(project: Path, program: str, *arguments: str) -> str:
    return run(project, str(project / ".venv" / "bin" / "python"), "-c", program, *arguments)


def own_tests(project: Path) -> None:
    pytest_of_project = str(project / ".venv" / "bin" / "pytest")
    run(project, pytest_of_project, "tests/notes")


@pytest.mark.usefixtures("fast_copier")
def test_a_project_with_edits_and_a_module_of_its_own_lives_on(
    tmp_path: Path, types_known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYPY_CACHE_DIR", str(types_known))
    source = make_releases(tmp_path / "eighty", look_older, newer)
    project = tmp_path / "project"
    copier.run_copy(str(source), project, vcs_ref=OLD, defaults=True, quiet=True)
    commit_all(project)
    set_up(project)
    shutil.copytree(ADOPTER, project, dirs_exist_ok=True)
    edit(project / "compose.yml", "shm_size: 256mb", "shm_size: 1gb")
    edit(project / "pyproject.toml", "dependencies = []", 'dependencies = ["packaging>=24"]')
    set_up(project)
    app(project, "db", "upgrade")
    python(project, KEEP)
    own_tests(project)
    commit_all(project)

    update(project)

    assert not refused(project)
    assert doctor(project).returncode == 0
    set_up(project)
    told = app(project, "db", "upgrade")
    assert "users" in told
    assert "notes" not in told, "their own migration has run already"
    app(project, "db", "check")
    assert "Written before the update" in python(project, READ)
    assert "shm_size: 1gb" in (project / "compose.yml").read_text()
    assert 'dependencies = ["packaging>=24"]' in (project / "pyproject.toml").read_text()
    own_tests(project)
    run(project, "make", "check")
    commit_all(project)

    update(project, data={"web_ui": False}, vcs_ref=copier.VcsRef.CURRENT)

    assert not refused(project)
    assert "Written before the update" in python(project, UPGRADED + READ)
    own_tests(project)
    commit_all(project)

    update(project, data={"web_ui": True}, vcs_ref=copier.VcsRef.CURRENT)

    assert not refused(project)
    assert "Written before the update" in python(project, UPGRADED + READ)
    own_tests(project)
    assert git(project, "status", "--porcelain", "app/web").count("\n") > 0
    fresh = copy(source, tmp_path / "fresh", NEW)
    assert (project / "app" / "web" / "render.py").read_bytes() == (
        fresh / "app" / "web" / "render.py"
    ).read_bytes()


ONE = """
import anyio
from app.auth import administrator

async def main():
    await administrator.create("ada@example.com", "Ada Lovelace", "correct horse battery staple 42")

anyio.run(main)
"""
ASK = """
import anyio
import httpx2
import json
import sys
from app.main import create_app

async def main():
    app = create_app()
    async with app.router.lifespan_context(app):
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="http://localhost:8000"
        ) as browser:
            form = {"email": "ada@example.com", "password": "correct horse battery staple 42"}
            answer = await browser.post("/api/auth/sign-in", json=form)
            assert answer.status_code == 200, answer.text
            cookies = "; ".join(one.split(";")[0] for one in answer.headers.get_list("set-cookie"))
            headers = {"Cookie": cookies, "X-CSRF-Token": answer.json()["csrf_token"]}
            for call in sys.argv[1:]:
                method, path, *body = call.split(" ", 2)
                more = {"json": json.loads(body[0])} if body else {}
                answer = await browser.request(method, path, headers=headers, **more)
                print("answer:", answer.status_code, answer.text)

anyio.run(main)
"""


def ask(project: Path, *calls: str, before: str = "") -> list[str]:
    """Status and body of each call to the API by the administrator."""
    told = python(project, before + ASK, *calls).splitlines()
    return [line.removeprefix("answer: ") for line in told if line.startswith("answer: ")]


def rows(project: Path, *, before: str = "") -> list[Any]:
    """What the administrator has, and sees through the API."""
    places = ("GET /api/me", "GET /api/organization", "GET /api/conversations", "GET /api/keys")
    answers = ask(project, *places, before=before)
    assert [answer[:3] for answer in answers] == ["200"] * len(places), answers
    found = [json.loads(answer[4:]) for answer in answers]
    found[0].pop("permissions")  # an option may bring some
    return found


@pytest.mark.usefixtures("fast_copier")
def test_each_further_option_can_be_switched_on_later_with_all_data_kept(tmp_path: Path) -> None:
    source = make_releases(tmp_path / "eighty", look_older)
    project = copy(source, tmp_path / "project", NEW, project_name="Engines")
    assert not chosen(answers_of(project / ".copier-answers.yml"))
    set_up(project)
    app(project, "db", "upgrade")
    python(project, ONE)
    key = """POST /api/keys {"name": "Nightly export", "scopes": ["usage.read_own"]}"""
    made = ask(project, "POST /api/conversations {}", key)
    assert [answer[:3] for answer in made] == ["201", "201"], made
    before = rows(project)
    assert before[0]["display_name"] == "Ada Lovelace"
    assert len(before[2]["conversations"]) == 1
    assert before[3][0]["name"] == "Nightly export"
    commit_all(project)

    options = sorted(OPTIONS, key=str)
    # Each step costs as much as a whole project: at night it is one option, else two at a time.
    at_once = 1 if os.environ.get("WHOLE") else 2
    for number in range(0, len(options), at_once):
        switched_on = options[: number + at_once]
        update(project, data=answered(*switched_on), vcs_ref=copier.VcsRef.CURRENT)

        assert not refused(project), switched_on
        assert chosen(answers_of(project / ".copier-answers.yml")) == set(switched_on)
        set_up(project)
        # In one process: to import the app takes longer than each of these.
        assert rows(project, before=UPGRADED) == before, switched_on
        commit_all(project)

    brought = ("organizations", "passkeys", "account/phone", "sso/connections", "documents")
    answers = ask(project, *(f"GET /api/{one}" for one in brought))
    assert '"name":"Engines"' in answers[0]
    assert [answer[:3] for answer in answers] == ["200"] * len(brought), answers
    run(project, "make", "lint")

    off = {"tenancy": "one", "sign_in_methods": [], "documents": False}
    update(project, data=off, vcs_ref=copier.VcsRef.CURRENT)

    assert not refused(project)
    assert not list((project / "app" / "organizations").rglob("*.py"))
    assert rows(project, before=UPGRADED) == before
