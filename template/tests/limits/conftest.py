from collections.abc import AsyncIterator, Iterator

import pytest

from app.limits import connections, service


@pytest.fixture(scope="session")
async def one_loop(database: object, anyio_backend: str) -> AsyncIterator[None]:
    """The pool lives in one event loop; a fixture of the session keeps it for all tests."""
    yield
    await connections.close()


@pytest.fixture
def another_process() -> Iterator[None]:
    """No leases yet, as in a process that has just started."""
    service._leases.cache_clear()
    yield
    service._leases.cache_clear()
