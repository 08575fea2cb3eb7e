"""Readiness knows how far the tables are without running a migration's file."""

import subprocess
import sys

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from app.core import db, migrate, revisions
from app.core.settings import ROOT


def test_the_files_say_what_alembic_reads_in_them():
    found = {name: [*one.heads] for name, one in revisions.histories().items()}
    assert found == {name: [head] for name, head in migrate.heads().items()}


def test_every_way_to_write_a_revision_is_read(tmp_path):
    (tmp_path / "1.py").write_text('revision = "a_1"\ndown_revision = None\n')
    (tmp_path / "2.py").write_text("revision: str = 'a_2'\ndown_revision: str | None = 'a_1'\n")
    (tmp_path / "3.py").write_text('revision="a_3"\ndown_revision=("a_2", "a_1")  # both\n')
    assert revisions.history(tmp_path) == ({"a_1", "a_2", "a_3"}, {"a_3"})


def test_older_tables_are_behind_and_newer_ones_are_not(database, monkeypatch):
    owner = create_engine(db.sqlalchemy_url(db.owner_url()), poolclass=NullPool)
    known = revisions.histories()
    older = revisions.History(frozenset({"users_0001", "users_0002"}), frozenset({"users_0002"}))
    with owner.connect() as connection:
        assert revisions.behind(connection) == []
        with monkeypatch.context() as changed:
            changed.setattr(revisions, "histories", lambda: known | {"users": older})
            assert revisions.behind(connection) == ["users"]
        connection.execute(text("UPDATE alembic_version_users SET version_num = 'users_0099'"))
        assert revisions.behind(connection) == []
        connection.execute(text("DELETE FROM alembic_version_users"))
        assert revisions.behind(connection) == ["users"]
        connection.execute(text("DROP TABLE alembic_version_users"))
        assert revisions.behind(connection) == ["users"]
        connection.rollback()


def test_looking_at_readiness_takes_no_alembic():
    """It takes a third of a second to import, in which the process answers nobody."""
    asked = "from app.core import health, revisions; revisions.histories(); import sys"
    said = "sys.exit('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", f"{asked}; {said}"], cwd=ROOT, check=False)
    assert done.returncode == 0
