"""The app as a process of its own, on this test's database: what a client on the network meets."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest

from app.core import embedded
from tests.conftest import free_port

SERVE = [sys.executable, "-c", "from app.cli import main; main()", "serve", "--port"]


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
