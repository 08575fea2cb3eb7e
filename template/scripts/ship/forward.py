"""Do this version's migrations run over the data of the version before? `make migrations`

Takes the code of BASE (the newest tag before this commit, else where origin/main was left), brings
a fresh database to it and puts people in it, or a dump (DUMP=file from pg_dump, of
staging). Then this version's migrations run. No row may be lost, and models and tables must agree.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

ROOT = Path(__file__).absolute().parents[2]
APP = [sys.executable, "-c", "from app.cli import main; main()"]


def main(base: str = "", dump: str = "") -> None:
    if dump and not Path(dump).is_file():
        sys.exit(f"DUMP: there is no file {dump}.")
    base = base or before()
    if not base and not dump:
        print("There is no earlier version: nothing to migrate from.")
        return
    # A socket's path has little room, so the server is not inside the folder of the project.
    with (
        tempfile.TemporaryDirectory(dir=ROOT / ".local") as folder,
        tempfile.TemporaryDirectory(prefix="fw") as place,
    ):
        forward(base, dump, Path(folder) / "base", Path(place))


def forward(base: str, dump: str, tree: Path, place: Path) -> None:
    from app.core import embedded
    from app.core.database_roles import in_database

    urls = embedded.start(place, durable=False)
    environment = os.environ | {
        "APP_ENV": "development", "DATABASE_URL": urls.app, "DATABASE_OWNER_URL": urls.owner,
    }  # fmt: skip
    if dump:
        subprocess.run(["pg_restore", "--no-owner", "--dbname", urls.owner, dump], check=True)
    else:
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), base],
                       cwd=ROOT, check=True)  # fmt: skip
        try:
            then = top(tree)
            old = environment | {"PYTHONPATH": str(then)}
            subprocess.run([*APP, "db", "upgrade"], cwd=then, env=old, check=True)
            for name in ("ada", "grace"):
                subprocess.run(
                    [*APP, "create-admin", "--email", f"{name}@example.com", "--name", name,
                     "--password", "a-long-pass-phrase-of-nobody"],
                    cwd=then, env=old, check=True,
                )  # fmt: skip
        finally:
            subprocess.run(
                ["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True
            )
    # Row-level security binds the owner, too.
    everything = in_database(urls.admin, embedded.DATABASE)
    if not any((counted := rows(everything)).values()):
        sys.exit("There is no row to bring along: this would show nothing.")
    now = environment | {"PYTHONPATH": str(ROOT)}
    for words in (["db", "upgrade"], ["db", "check"]):
        subprocess.run([*APP, *words], cwd=ROOT, env=now, check=True)
    lost = fewer(counted, rows(everything))
    if lost:
        sys.exit("\n".join(lost))
    print(f"{sum(counted.values())} rows in {len(counted)} tables came along from {base or dump}.")


def top(tree: Path) -> Path:
    """Where this project is in a checkout: it may be a folder of a larger repository."""
    prefix = subprocess.run(["git", "rev-parse", "--show-prefix"], cwd=ROOT,
                            capture_output=True, text=True, check=True)  # fmt: skip
    return tree / prefix.stdout.strip()


def before() -> str:
    """The newest tag before this commit, else where it left origin/main; empty when neither is."""
    for command in (
        ["git", "describe", "--tags", "--abbrev=0", "HEAD^"],
        ["git", "merge-base", "HEAD^", "origin/main"],
    ):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return ""


def rows(url: str) -> dict[str, int]:
    """How many each table has; migrations keep their own books."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            " AND tablename NOT LIKE 'alembic%'"
        ).fetchall()
        found = {}
        for (name,) in names:
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
            ).fetchone()
            found[name] = row[0] if row else 0
        return found


def fewer(then: dict[str, int], now: dict[str, int]) -> list[str]:
    """Tables that lost rows; one that is gone must have been empty."""
    return [
        f"{name} had {count} rows and has {now.get(name, 'gone')}"
        for name, count in sorted(then.items())
        if count > now.get(name, 0)
    ]


if __name__ == "__main__":
    main(os.environ.get("BASE", ""), os.environ.get("DUMP", ""))
