import os
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.core import database_roles, db, embedded, migrate
from app.limits import connections


@pytest.fixture
async def own_database(
    database: embedded.Urls, configure: Callable[..., None], tmp_path: Path
) -> AsyncIterator[embedded.Urls]:
    """A database in which no other test has been, and the app at it."""
    name = f"test_{os.getpid()}_{secrets.token_hex(3)}"
    database_roles.create_database(database.admin, name)
    urls = database.of(name)
    configure(
        DATABASE_URL=urls.app,
        DATABASE_OWNER_URL=urls.owner,
        STORAGE_BACKEND="disk",
        STORAGE_FOLDER=tmp_path / "files",
    )
    await db.close()
    await connections.close()
    migrate.upgrade()
    yield urls
    await db.close()
    await connections.close()
    database_roles.drop_database(database.admin, name)


@pytest.fixture
async def new_server(tmp_path: Path) -> AsyncIterator[embedded.Urls]:
    """A server that knows nothing: neither roles nor tables."""
    folder = tmp_path / "new-server"
    yield embedded.start(folder, environment="test", durable=False)
    embedded.remove(folder)
    assert not folder.exists()
