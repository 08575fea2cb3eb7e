"""A PostgreSQL of the app's own for laptops and tests: nothing to install, nothing to remember.

Every process that calls `start` shares one server for as long as it lives; the last one out stops
it. Nobody cleans up: a process holds its place by a lock that the kernel drops when it dies.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from app.core.embedded.refusals import Died, sentence
from app.core.errors import CannotStart

DATABASE = "app"
ATTEMPTS = 3

_places: dict[Path, int] = {}


@dataclass(frozen=True)
class Urls:
    app: str = field(repr=False)
    owner: str = field(repr=False)
    admin: str = field(repr=False)

    def of(self, database: str) -> Urls:
        """The same three accounts in another database of this server."""
        from app.core.database_roles import in_database

        return Urls(*(in_database(url, database) for url in (self.app, self.owner, self.admin)))


def start(folder: Path, *, environment: str | None = None, durable: bool = True) -> Urls:
    """Returns the addresses of the server whose files are in `folder`, starting it when it sleeps.

    `durable=False` is for databases that may vanish with the machine, as those of tests.
    """
    if (environment or os.environ.get("APP_ENV")) == "production":
        raise CannotStart(
            "The embedded database is for development and tests: "
            "in production set DATABASE_URL to a PostgreSQL server."
        )
    if sys.platform == "win32":
        raise CannotStart(
            "The embedded database does not run on Windows: "
            "use WSL, or set DATABASE_URL to a PostgreSQL server."
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _start(folder.resolve(), durable)
    except OSError as error:
        raise CannotStart(sentence(error, folder)) from error


def remove(folder: Path) -> None:
    """Let go of a server that only we use, wait until it is gone, and delete what it kept."""
    from app.core.embedded.locks import held

    folder = folder.resolve()
    os.close(_places.pop(folder))
    while held(folder / "keeper.lock"):
        time.sleep(0.01)
    home = (folder / "data").resolve().parent  # elsewhere when its account may not enter here
    for place in {folder, home}:
        shutil.rmtree(place)


def _start(folder: Path, durable: bool) -> Urls:
    # Here, for importing the app must cost nothing where the database is elsewhere.
    from app.core.embedded.locks import lock, locked

    with locked(folder / "start.lock"):
        place = _places.get(folder)
        # Shared by all who use the server; waits while the keeper stops it.
        fd = lock(folder / "in-use.lock", shared=True) if place is None else place
        try:
            for _ in range(ATTEMPTS - 1):
                try:
                    urls = _serve(folder, durable)
                    break
                except Died:
                    continue
            else:
                urls = _serve(folder, durable)
        except BaseException:
            if place is None:
                os.close(fd)
            raise
        _places[folder] = fd
        return urls


def _serve(folder: Path, durable: bool) -> Urls:
    from psycopg import OperationalError

    from app.core.database_roles import create_roles
    from app.core.embedded import cluster, locks, server

    passwords = cluster.passwords(folder)
    found = server.ensure(folder, passwords["admin"], durable)
    query = f"host={quote(found.socket, safe='/')}&port=5432"
    urls = Urls(
        app=f"postgresql://app:{passwords['app']}@/{DATABASE}?{query}",
        owner=f"postgresql://app_owner:{passwords['owner']}@/{DATABASE}?{query}",
        admin=f"postgresql://{cluster.ADMIN}:{passwords['admin']}@/postgres?{query}",
    )
    prepared = folder / "prepared"
    if found.launched or not prepared.exists():
        try:
            create_roles(
                urls.admin,
                database=DATABASE,
                app_password=passwords["app"],
                owner_password=passwords["owner"],
            )
        except OperationalError as error:
            if locks.held(folder / "server.lock"):
                raise
            raise Died("PostgreSQL was ended from outside: start again.") from error
        prepared.touch(mode=0o600)
    return urls
