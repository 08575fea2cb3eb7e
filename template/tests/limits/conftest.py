from collections.abc import Iterator

import pytest

from app.limits import service


@pytest.fixture
def another_process() -> Iterator[None]:
    """No leases yet, as in a process that has just started."""
    service._leases.cache_clear()
    yield
    service._leases.cache_clear()
