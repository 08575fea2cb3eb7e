"""A plugin of pytest: a fifth of the tests, told by their names. TESTS_SHARE is 0 to 4."""

import os
from zlib import crc32

import pytest

SHARES = 5


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    share = int(os.environ["TESTS_SHARE"])
    left = [one for one in items if crc32(one.nodeid.encode()) % SHARES != share]
    config.hook.pytest_deselected(items=left)
    items[:] = [one for one in items if crc32(one.nodeid.encode()) % SHARES == share]
