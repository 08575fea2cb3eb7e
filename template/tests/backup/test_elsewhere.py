"""Copies off the machine, on a server that speaks S3."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from app.backup import archive, elsewhere, manifest, stream, wal
from app.backup.errors import BackupFailed
from app.core.clock import now
from tests.conftest import free_port

pytestmark = pytest.mark.dear
LARGE = os.urandom(11 * 1024 * 1024)


@pytest.fixture
def place(configure) -> Iterator[str]:
    """moto's server, a process of its own, with one bucket."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", url.rpartition(":")[2]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, **quiet, env=os.environ | {"MOTO_S3_CUSTOM_ENDPOINTS": ""})
    try:
        for _ in range(600):
            try:
                urlopen(Request(f"{url}/copies", method="PUT"))
                break
            except URLError:
                time.sleep(0.1)
        configure(
            BACKUP_COPY_URL=f"{url}/",
            BACKUP_COPY_BUCKET="copies",
            BACKUP_COPY_REGION="us-east-1",
            BACKUP_COPY_ACCESS_KEY="AKIAEXAMPLE",
            BACKUP_COPY_SECRET_KEY="a-secret-of-a-test",
        )
        yield url
    finally:
        server.terminate()
        server.wait()


def a_backup(folder, content: bytes):
    name = now().strftime(archive.NAMED)
    (folder / name).mkdir(parents=True)
    path = folder / name / archive.DATABASE
    path.write_bytes(content)
    digests = {path.name: manifest.digest(path)}
    manifest.Manifest(now(), 180000, {}, {}, [], digests=digests).write(folder / name)
    return folder / name


async def test_a_lost_folder_comes_back_from_its_copies(place, tmp_path, monkeypatch):
    monkeypatch.setattr(elsewhere, "PIECE", 5 * 1024 * 1024)
    made = a_backup(tmp_path / "here", LARGE)

    assert await elsewhere.names() == []
    assert await elsewhere.copy_missing(tmp_path / "here") == [made.name]
    assert await elsewhere.copy_missing(tmp_path / "here") == [], "it is there already"
    again = await elsewhere.fetch(made.name, tmp_path / "new machine")

    assert archive.backups(tmp_path / "new machine") == [again]
    assert (again / archive.DATABASE).read_bytes() == LARGE
    with pytest.raises(BackupFailed, match="No copy is called"):
        await elsewhere.fetch("2020-01-01T00-00-00Z", tmp_path)


async def test_a_base_and_the_log_that_follows_it_come_back(place, tmp_path):
    kept = tmp_path / "here" / wal.FOLDER / "77"
    names = [f"00000001000000000000000{number}" for number in (1, 2, 3, 4)]
    for day, first in (("01", names[0]), ("02", names[2])):
        folder = kept / "base" / f"2026-03-{day}T00-00-00Z"
        folder.mkdir(parents=True)
        (folder / stream.BASE).write_bytes(day.encode())
        wal.Base(now(), 180000, first).write(folder)
    (kept / "wal").mkdir()
    for name in names:
        (kept / "wal" / f"{name}{wal.ENDING}").write_bytes(name.encode())
    (kept / "wal" / ".half").touch()

    there: set[str] = set()
    assert await elsewhere.copy_log(tmp_path / "here", there) == 8
    assert await elsewhere.copy_log(tmp_path / "here", there) == 0
    assert await elsewhere.copy_log(tmp_path / "here", set()) == 0, "the place itself knows"
    assert await elsewhere.names() == [], "none of it is a whole backup"
    await elsewhere.fetch_log(tmp_path / "there")
    found = tmp_path / "there" / wal.FOLDER / "77"
    assert [path.name for path in found.glob("base/*")] == ["2026-03-02T00-00-00Z"]
    assert sorted(one.name[:24] for one in found.glob("wal/*")) == names[2:]
    await elsewhere.fetch_log(tmp_path / "there", "2026-03-01T12-00-00Z")
    assert sorted(one.name[:24] for one in found.glob("wal/*")) == names
    with pytest.raises(BackupFailed, match="none is so old"):
        await elsewhere.fetch_log(tmp_path / "there", "2026-02-01T12-00-00Z")


async def test_a_copy_that_was_cut_or_changed_counts_as_none(place, tmp_path, configure):
    made = a_backup(tmp_path / "here", b"encrypted")
    await elsewhere._put(f"{made.name}/{archive.DATABASE}", made / archive.DATABASE)
    assert await elsewhere.names() == [], "the manifest comes last"

    assert await elsewhere.copy_missing(tmp_path / "here") == [made.name]
    (made / archive.DATABASE).write_bytes(b"something else")
    await elsewhere._put(f"{made.name}/{archive.DATABASE}", made / archive.DATABASE)
    with pytest.raises(BackupFailed, match="is not what was sent"):
        await elsewhere.fetch(made.name, tmp_path / "new machine")
    assert archive.backups(tmp_path / "new machine") == []

    configure(BACKUP_COPY_URL="http://127.0.0.1:9")
    with pytest.raises(BackupFailed, match="cannot be reached"):
        await elsewhere.names()
