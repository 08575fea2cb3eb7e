"""A plugin of pytest: a part of the tests, told by their names, or only of the expensive ones.

TESTS_SHARE is the number of this part, from 0, and how many there are: "0/5". TESTS_SHARED is
"all", or "costly": then all others run, too.
"""

import os
from zlib import crc32

import pytest

SHARE, SHARES = map(int, os.environ["TESTS_SHARE"].split("/"))


# After the project's own hook, which marks what is costly.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = [one for one in items if _is_shared(one) and not _is_ours(one)]
    config.hook.pytest_deselected(items=left)
    items[:] = [one for one in items if not _is_shared(one) or _is_ours(one)]


def _is_shared(item: pytest.Item) -> bool:
    expensive = "costly" in item.keywords or "dear" in item.keywords
    return expensive or os.environ["TESTS_SHARED"] == "all"


def _is_ours(item: pytest.Item) -> bool:
    return crc32(item.nodeid.encode()) % SHARES == SHARE
