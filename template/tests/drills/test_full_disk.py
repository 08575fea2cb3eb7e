"""Drill: the disk of the database is full.

Expected: who writes gets 503 and may try again, who reads still reads, nothing half-written stays,
and once there is room all works without a restart. Needs root on Linux, to make a small disk.
"""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app.core import db
from app.limits import connections
from tests.drills.conftest import until

pytestmark = pytest.mark.slow


@pytest.fixture
async def small_disk(database, tmp_path):
    """A disk that holds the tables of this run's database."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("NOT DRILLED: only root on Linux can make a small disk.")
    disk = tmp_path / "disk"
    disk.mkdir()
    for one in disk.parents[:4]:
        one.chmod(one.stat().st_mode | 0o011)  # the database's account goes through
    with psycopg.connect(database.admin, autocommit=True, dbname="postgres") as admin:
        owner = Path(admin.execute("SHOW data_directory").fetchone()[0]).stat()
        options = f"size=160m,uid={owner.st_uid},gid={owner.st_gid},mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)
        space = f"drill_{os.getpid()}"
        try:
            admin.execute(f"CREATE TABLESPACE {space} LOCATION '{disk}'")
            move(admin, database, space)
            yield disk
            (disk / "filler").unlink(missing_ok=True)
            move(admin, database, "pg_default")
            # Else the next test would meet what that has ended.
            await db.close()
            await connections.close()
            admin.execute(f"DROP TABLESPACE {space}")
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def move(admin, database, space):
    name = psycopg.conninfo.conninfo_to_dict(database.app)["dbname"]
    ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
    admin.execute(ended, [name])
    admin.execute(f'ALTER DATABASE "{name}" SET TABLESPACE {space}')


async def test_full_disk(small_disk, start, enter):
    browser = await enter(await start())

    filler = small_disk / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        except OSError:
            pass

    async def refused() -> bool:
        answer = await browser.client.post("/api/conversations", json={})
        assert answer.status_code in {201, 503}, answer.text
        return answer.status_code == 503

    await until(refused)
    assert (await browser.client.get("/api/conversations")).status_code == 200
    filler.unlink()
    assert (await browser.client.post("/api/conversations", json={})).status_code == 201
