"""Drill: a worker is killed while mails wait.

Expected: what it was doing is taken up by another worker, and every mail goes out; none is lost.
"""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from app.core import db
from app.mail import service as mail
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
COUNT = 40


def worker() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "worker"],
        cwd=ROOT,
        env=os.environ | {"MAIL_BACKEND": "inbox"},
        stdout=subprocess.DEVNULL,
    )


async def sent() -> int:
    async with db.transaction(elevated=True) as session:
        found = [await mail.inbox(session, to=f"drill.{n}@example.com") for n in range(COUNT)]
    return sum(one[0].status == "sent" for one in found)


async def test_lost_worker(app, configure):
    configure(MAIL_BACKEND="inbox")
    async with db.transaction(elevated=True) as session:
        for number in range(COUNT):
            await mail.send(
                session,
                f"drill.{number}@example.com",
                "users/invitation",
                inviter="Drill",
                organization="Drill",
                link="https://example.com",
            )
    first = worker()
    try:
        async with asyncio.timeout(120):
            while not await sent():
                await asyncio.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.wait()
        second = worker()
        try:
            async with asyncio.timeout(180):
                while await sent() < COUNT:
                    await asyncio.sleep(0.5)
        finally:
            second.terminate()
            second.wait()
    finally:
        first.kill()
        first.wait()
