"""A project adds a module of its own, and its tables come with it."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from app.core import database_roles
from app.core.db import sqlalchemy_url

ROOT = Path(__file__).parent.parent.parent
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


@pytest.fixture
def project(tmp_path, database):
    """A copy of this app with a module more, and a database of its own."""
    shutil.copytree(
        ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__", "static")
    )
    module = tmp_path / "app" / "notes"
    module.mkdir()
    (module / "__init__.py").write_text('"""Notes."""\n')
    (module / "models.py").write_text(MODELS)
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    database_roles.create_database(database.admin, name)
    urls = database.of(name)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from app.cli import main; main()", *words],
            cwd=tmp_path,
            env=os.environ
            | {
                "PYTHONPATH": str(tmp_path),
                "DATABASE_URL": urls.app,
                "DATABASE_OWNER_URL": urls.owner,
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    yield tmp_path, run, urls
    database_roles.drop_database(database.admin, name)


def test_a_module_of_ones_own_gets_its_tables_with_row_security(project):
    folder, run, urls = project
    first = run("db", "upgrade")
    assert first.returncode == 0, first.stderr
    drift = run("db", "check")
    assert drift.returncode == 1
    assert "notes" in drift.stdout

    written = run("db", "revision", "notes", "-m", "first notes")
    assert written.returncode == 0, written.stdout + written.stderr
    migration = folder / "app" / "notes" / "migrations" / "0001_first_notes.py"
    assert 'protect("notes")' in migration.read_text()
    compile(migration.read_text(), "migration", "exec")

    done = run("db", "upgrade")
    assert "notes_0001" in done.stdout, done.stderr
    check = run("db", "check")
    assert check.returncode == 0, check.stdout
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
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        'revision = "notes_0001"\ndown_revision = None\n\n\ndef upgrade():\n'
        "    op.execute('CREATE TABLE notes (id uuid PRIMARY KEY, organization_id uuid)')\n"
    )
    upgraded = run("db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    check = run("db", "check")
    assert check.returncode == 1
    assert "notes: no forced row-level security" in check.stdout


def test_a_migration_that_fails_leaves_nothing_behind(project):
    folder, run, urls = project
    migrations = folder / "app" / "notes" / "migrations"
    migrations.mkdir()
    (migrations / "0001_broken.py").write_text(
        'from alembic import op\nrevision = "notes_0001"\ndown_revision = None\n\n\n'
        "def upgrade():\n    op.execute('CREATE TABLE half (id int)')\n    op.execute('nonsense')\n"
    )
    assert run("db", "upgrade").returncode != 0
    engine = create_engine(sqlalchemy_url(urls.owner))
    with engine.connect() as connection:
        found = connection.scalar(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        )
    engine.dispose()
    assert found == 0
