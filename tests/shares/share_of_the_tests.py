"""A plugin of pytest: a part of the tests, told by their files, or only of the expensive ones.

TESTS_SHARE is the number of this part, from 0, and how many there are: "0/5". TESTS_SHARED is
"all": a part of all files; the others are not even imported, which took as long as to run a part.
Or it is "costly": a part of the expensive tests, told by their names, and all others; but for those
of the parts of all files that TESTS_ELSEWHERE names, as in "1,2/5", which other projects run.
"""

import os
from pathlib import Path
from zlib import crc32

import pytest

SHARE, SHARES = map(int, os.environ["TESTS_SHARE"].split("/"))
ALL = os.environ["TESTS_SHARED"] == "all"
THEIRS, _, PARTS = os.environ.get("TESTS_ELSEWHERE", "").partition("/")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not ALL or not collection_path.match("test_*.py"):
        return None
    # None: pytest itself decides about what is ours.
    return None if _is_ours(collection_path.relative_to(config.rootpath).as_posix()) else True


# After the project's own hook, which marks what is costly.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if ALL:
        return
    ours = [
        one
        for one in items
        if (_is_ours(one.nodeid) if _is_expensive(one) else not _is_elsewhere(one))
    ]
    config.hook.pytest_deselected(items=[*{*items} - {*ours}])
    items[:] = ours


def _is_expensive(item: pytest.Item) -> bool:
    return any(name in item.keywords for name in ("costly", "dear", "browser"))


def _is_ours(name: str) -> bool:
    return _part(name, SHARES) == SHARE


def _is_elsewhere(item: pytest.Item) -> bool:
    file = item.path.relative_to(item.config.rootpath).as_posix()
    return bool(PARTS) and str(_part(file, int(PARTS))) in THEIRS.split(",")


def _part(name: str, parts: int) -> int:
    return crc32(name.encode()) % parts
