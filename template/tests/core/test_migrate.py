"""A project adds a module of its own, and its tables come with it."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from app.core import database_roles
from app.core.db import sqlalchemy_url

pytestmark = pytest.mark.dear

ROOT = Path(__file__).parent.parent.parent
PYPROJECT = ROOT / "pyproject.toml"
MODELS = """
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base


class Note(Base):
    __tablename__ = "notes"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    text: Mapped[str]
"""

# All is imported once; what a command imports, reads and remembers is forgotten with its fork.
DRIVER = """
import json, os, sys
from pathlib import Path
from typer.testing import CliRunner
from app.cli import cli
from app.core import migrate

migrate.tables()
while line := sys.stdin.readline():
    asked = json.loads(line)
    if (child := os.fork()) == 0:
        os.environ |= asked["environment"]
        ran = []
        for command in asked["commands"]:
            migrate.heads.cache_clear()  # a command is a process of its own
            done = CliRunner().invoke(cli, command.split())
            ran.append([done.exit_code, done.output])
        Path(asked["answer"]).write_text(json.dumps(ran))
        os._exit(0)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


class Ran(NamedTuple):
    code: int
    output: str


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of this app with a module more, and a process that runs commands of it."""
    folder = tmp_path_factory.mktemp("copy")
    # With what Python made of it, but for what another process is just about to write.
    leave_out = shutil.ignore_patterns("static", "*.pyc.*")
    shutil.copytree(ROOT / "app", folder / "app", ignore=leave_out)
    module = folder / "app" / "notes"
    module.mkdir()
    (module / "__init__.py").write_text('"""Notes."""\n')
    (module / "models.py").write_text(MODELS)
    # Each command is told which database it has: one that took another fails.
    nowhere = dict.fromkeys(("DATABASE_URL", "DATABASE_OWNER_URL"), "postgresql://nobody@[::1]:1/x")
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=folder,
        env=os.environ | nowhere | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield folder, process
        process.stdin.close()


@pytest.fixture
def project(copy, tmp_path, database):
    """The copy, its module without a migration, and a database of its own."""
    folder, process = copy
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    database_roles.create_database(database.admin, name)
    urls = database.of(name)
    answer = tmp_path / "answer.json"

    def run(*commands: str) -> list[Ran]:
        """Run commands of `app` in one process of the copy, one after the other."""
        answer.unlink(missing_ok=True)
        asked = {
            "commands": commands,
            "answer": str(answer),
            "environment": {"DATABASE_URL": urls.app, "DATABASE_OWNER_URL": urls.owner},
        }
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        while (line := process.stdout.readline()) != "ended\n":
            assert line, "The process of the copy is gone."
        return [Ran(*one) for one in json.loads(answer.read_text())]

    yield folder, run, urls
    shutil.rmtree(folder / "app" / "notes" / "migrations", ignore_errors=True)
    database_roles.drop_database(database.admin, name)


def test_a_module_of_ones_own_gets_its_tables_with_row_security(project):
    folder, run, urls = project
    first, drift, written, done, check = run(
        "db upgrade", "db check", "db revision notes -m first", "db upgrade", "db check"
    )
    assert first.code == 0, first.output
    assert (drift.code, "notes" in drift.output) == (1, True)
    assert written.code == 0, written.output
    migration = folder / "app" / "notes" / "migrations" / "0001_first.py"
    assert "app/notes/migrations/0001_first.py" in written.output
    assert 'protect("notes")' in migration.read_text()
    tidy = [sys.executable, "-m", "ruff", "check", "--no-cache", "--config", PYPROJECT, migration]
    assert subprocess.run(tidy, check=False).returncode == 0
    assert "notes_0001" in done.output
    assert check.code == 0, check.output
    engine = create_engine(sqlalchemy_url(urls.app))
    with (
        engine.begin() as connection,
        pytest.raises(ProgrammingError, match="row-level security"),
        connection.begin_nested(),
    ):
        connection.execute(
            text(
                "INSERT INTO notes (id, organization_id, text)"
                " VALUES (gen_random_uuid(), gen_random_uuid(), 'x')"
            )
        )
    engine.dispose()


def test_a_table_without_row_security_fails_the_check(project):
    folder, run, _ = project
    migrations = folder / "app" / "notes" / "migrations"
    migrations.mkdir()
    (migrations / "0001_first.py").write_text(
        "from alembic import op\n\n"
        'revision = "notes_0001"\ndown_revision = None\n\n\ndef upgrade():\n'
        "    op.execute('CREATE TABLE notes (id uuid PRIMARY KEY, organization_id uuid)')\n"
    )
    upgraded, check = run("db upgrade", "db check")
    assert upgraded.code == 0, upgraded.output
    assert check.code == 1
    assert "notes: no forced row-level security" in check.output


def test_a_migration_that_fails_leaves_nothing_behind(project):
    folder, run, urls = project
    migrations = folder / "app" / "notes" / "migrations"
    migrations.mkdir()
    (migrations / "0001_broken.py").write_text(
        'from alembic import op\nrevision = "notes_0001"\ndown_revision = None\n\n\n'
        "def upgrade():\n    op.execute('CREATE TABLE half (id int)')\n    op.execute('nonsense')\n"
    )
    [upgraded] = run("db upgrade")
    assert upgraded.code != 0
    engine = create_engine(sqlalchemy_url(urls.owner))
    with engine.connect() as connection:
        found = connection.scalar(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        )
    engine.dispose()
    assert found == 0


@pytest.mark.dear
def test_columns_of_vectors_are_known_also_where_no_module_has_one():
    """Documents may be switched off while their tables are still there."""
    look = "from app.core import migrate; from sqlalchemy.dialects.postgresql import base;"
    command = [sys.executable, "-c", f"{look} assert 'halfvec' in base.ischema_names"]
    assert subprocess.run(command, check=False).returncode == 0


LATER = """
import sqlalchemy as sa
from alembic import op

revision = "notes_0002"
down_revision = "notes_0001"


def upgrade():
    op.add_column("notes", sa.Column("colour", sa.Text(), server_default="wrong"))


def downgrade():
    op.drop_column("notes", "colour")
"""


def test_a_bad_release_is_taken_back_and_what_people_wrote_stays(project):
    folder, run, urls = project
    for one in run("db upgrade", "db revision notes -m first", "db upgrade"):
        assert one.code == 0, one.output
    with psycopg.connect(urls.admin) as admin:
        organization = "INSERT INTO organizations (id, name, slug) VALUES (%s, 'One', %s)"
        note = "INSERT INTO notes (id, organization_id, text) VALUES (gen_random_uuid(), %s, %s)"
        whose = uuid4()
        admin.execute(organization, [whose, f"one-{secrets.token_hex(4)}"])
        admin.execute(note, [whose, "Before the release"])
    later = folder / "app" / "notes" / "migrations" / "0002_colour.py"
    later.write_text(LATER)

    (upgraded,) = run("db upgrade")
    assert upgraded.code == 0, upgraded.output
    with psycopg.connect(urls.admin) as admin:
        # The version before goes on meanwhile: it knows nothing of the column.
        admin.execute(note, [whose, "During the release"])
    later.unlink()
    # A release of the version before, by its name: its migrations run before it, as ever.
    (before,) = run("db upgrade")
    later.write_text(LATER)
    unknown, back = run("db downgrade notes notes_9", "db downgrade notes notes_0001")
    later.unlink()

    assert (before.code, "Nothing to do" in before.output) == (0, True), before.output
    (check,) = run("db check")

    assert (unknown.code, "is no revision of notes" in unknown.output) == (2, True)
    assert (back.code, check.code) == (0, 0), back.output + check.output
    with psycopg.connect(urls.admin) as admin:
        kept = admin.execute("SELECT text FROM notes ORDER BY created_at").fetchall()
    assert kept == [("Before the release",), ("During the release",)]


def test_a_later_migration_that_takes_away_is_not_let_through(project):
    folder, run, _ = project
    for one in run("db upgrade", "db revision notes -m first"):
        assert one.code == 0, one.output
    later = folder / "app" / "notes" / "migrations" / "0002_colour.py"
    later.write_text(
        LATER.replace("def upgrade", "def downgrade_", 1).replace(
            "def downgrade():", "def upgrade():"
        )
    )

    (refused,) = run("db lint")
    later.write_text('CONTRACT = "no version reads it since May"\n' + later.read_text())
    (allowed,) = run("db lint")

    assert refused.code == 1
    assert "app/notes/migrations/0002_colour.py:14: drops a column" in refused.output
    assert allowed.code == 0, allowed.output
