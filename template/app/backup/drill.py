"""Restore a backup into a server that was not there before, look at everything, take the time.

The server is one of our own, in a folder that goes again: a drill touches nothing in use.
"""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import psycopg

from app.backup import manifest, restore
from app.backup.manifest import Manifest
from app.core import embedded
from app.core.clock import now
from app.core.settings import ROOT

DATABASE = "restored"


@dataclass
class Report:
    """What a drill found; all of it measured."""

    backup: str
    restore_seconds: float = 0
    """Until the app could work on it: database, files, and the looking."""
    lost_seconds: float = 0
    """Between the backup and the drill: had the server died now, so much would be gone."""
    lost_rows: dict[str, int] = field(default_factory=dict)
    """How many more rows the live database has, by table."""
    rows: int = 0
    files: int = 0
    problems: list[str] = field(default_factory=list)

    def sentences(self) -> list[str]:
        lost = ", ".join(f"{count} of {name}" for name, count in self.lost_rows.items() if count)
        return [
            f"Backup {self.backup}: {self.rows} rows and {self.files} files came back.",
            f"It took {self.restore_seconds / 60:.1f} minutes.",
            f"It was {self.lost_seconds / 60:.1f} minutes old; lost: {lost or 'no row'}.",
        ]


def run(backup: Path, identity: Path, live_admin_url: str = "") -> Report:
    """Raises `CannotRestore`; what is wrong with what came back stands in the report."""
    told = Manifest.read(backup)
    report = Report(
        backup.name,
        lost_seconds=(now() - told.taken_at).total_seconds(),
        rows=sum(told.rows.values()),
    )
    if live_admin_url:
        with psycopg.connect(live_admin_url) as db:
            live = manifest.rows(db)
        report.lost_rows = {name: count - told.rows.get(name, 0) for name, count in live.items()}
    folder = Path(tempfile.mkdtemp(dir=backup.parent, prefix=".drill-"))
    server = embedded.start(folder / "server", environment="test", durable=False)
    try:
        began = monotonic()
        app, owner = secrets.token_hex(16), secrets.token_hex(16)
        restore.into(
            backup,
            identity,
            server.admin,
            database=DATABASE,
            app_password=app,
            owner_password=owner,
        )
        urls = server.of(DATABASE)
        environment = _environment(urls, app, owner, folder / "files")
        report.problems = look(backup, urls.admin, environment, identity)
        report.files = told.files
        report.restore_seconds = round(monotonic() - began, 3)
    finally:
        embedded.remove(folder / "server")
        shutil.rmtree(folder)
    return report


def look(
    backup: Path, admin_url: str, environment: dict[str, str], identity: Path | None = None
) -> list[str]:
    """Everything that is wrong with what came back; with `identity` files come back first.

    In a process of its own: where database and files are is a setting of the whole process.
    """
    with psycopg.connect(admin_url) as db:
        found = restore.differences(Manifest.read(backup), db)
    words = ["backup", "look", str(backup), *(["--identity", str(identity)] if identity else [])]
    done = subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-c", "from app.cli import main; main()", *words],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found + (done.stdout + done.stderr).splitlines() if done.returncode else found


def _environment(urls: embedded.Urls, app: str, owner: str, files: Path) -> dict[str, str]:
    """Our own settings with another database and another place for files."""

    def of(role: str, password: str, url: str) -> str:
        return f"postgresql://{role}:{password}@{url.partition('@')[2]}"

    return os.environ | {
        "APP_ENV": "test",
        "DATABASE_URL": of("app", app, urls.app),
        "DATABASE_OWNER_URL": of("app_owner", owner, urls.owner),
        "STORAGE_BACKEND": "disk",
        "STORAGE_FOLDER": str(files),
    }
