"""The app as a process of its own, on this test's database: what a client on the network meets."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import embedded
from tests.conftest import free_port

HERE = Path(__file__).parent
LONGEST = ("test_no_call_fails", "test_no_body_makes", "test_nothing_that_a_directory_sends")
SERVE = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest begin first, at the end one core would wait for another; and between two of them
    stands a short one, as each worker is given two that follow one another."""
    places = [number for number, item in enumerate(items) if item.path.parent == HERE]
    ours = [items[number] for number in places]
    longest = [item for item in ours if item.name.startswith(LONGEST)]
    short = [item for item in ours if item not in longest]
    longest.sort(key=lambda item: (item.name.endswith("[nobody]"), item.name))
    pairs = [item for pair in zip(longest, short, strict=False) for item in pair]
    rest = longest[len(short) :] + short[len(longest) :]
    for number, item in zip(places, pairs + rest, strict=True):
        items[number] = item


@pytest.fixture(scope="session")
def address(database: embedded.Urls) -> Iterator[str]:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "PUBLIC_URL": url,
        "LIMITS_ADDRESS_PER_MINUTE": "10000000",
        "ABUSE_LOGINS_PER_ADDRESS": "10000000",
        "ABUSE_SIGN_UPS_PER_NETWORK": "10000000",
        "ABUSE_READS_PER_PERSON": "10000000",
        "LOG_LEVEL": "error",
    }
    server = subprocess.Popen([*SERVE, port], env=environment)
    try:
        while not _answers(url):
            assert server.poll() is None, "the app did not start"
            time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait(60)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/health/live", timeout=10)
    except OSError:
        return False
    return True
