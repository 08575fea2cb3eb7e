"""A plugin of pytest: half of the tests, told by their names. TESTS_HALF is 0 or 1."""

import os
from zlib import crc32

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    half = int(os.environ["TESTS_HALF"])
    left = [one for one in items if crc32(one.nodeid.encode()) % 2 != half]
    config.hook.pytest_deselected(items=left)
    items[:] = [one for one in items if crc32(one.nodeid.encode()) % 2 == half]
