"""Drill: rows and the audit log are destroyed; a restore goes back to the moment before.

Expected: what was destroyed is there, what was written later is not, and chains are whole. When
nobody receives changes the disk is not filled; once somebody does, a new base begins another chain.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pyrage
import pytest

from app.audit import service as audit
from app.backup import manifest, moment, stream, wal
from app.backup.errors import CannotRestore
from app.core import database_roles, db, embedded, migrate
from app.core.clock import now
from app.core.database_roles import in_database
from app.core.embedded import cluster, programs
from app.limits import connections
from tests.conftest import ROOT
from tests.drills.conftest import free_port
from tests.factories import make_user

pytestmark = pytest.mark.slow
PASSWORD = "a-password-of-a-test"


def until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """PostgreSQL as compose.yml starts it; the administrator's address."""
    folder = tmp_path / "server"
    folder.mkdir(mode=0o700)
    install = programs.find()
    account = programs.account(install, folder)
    cluster.initialize(folder, install, account, PASSWORD, durable=False)
    hba = account.home / "pg_hba.conf"
    hba.write_text((ROOT / "ops" / "machine" / "pg_hba.conf").read_text())
    port, socket = free_port(), account.socket_folder()
    settings = {"port": port, "listen_addresses": "127.0.0.1", "hba_file": hba, "fsync": "off"}
    settings |= {"unix_socket_directories": socket, "max_slot_wal_keep_size": "32MB"}
    words = [f"--{name}={value}" for name, value in settings.items()]
    data = account.home / "data"
    uid, gid = account.user or (None, None)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            account.command("postgres", "-D", str(data), *words),
            env=programs.environment(), cwd=account.home, stdout=log, stderr=log,
            user=uid, group=gid,
            extra_groups=None if account.user is None else [], start_new_session=True,
        )  # fmt: skip
    url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"

    def is_up() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    until(is_up, "the server starts")
    yield url
    process.send_signal(signal.SIGINT)
    process.wait()


@pytest.fixture
def empty_server(tmp_path: Path) -> Iterator[embedded.Urls]:
    yield embedded.start(tmp_path / "empty", environment="test", durable=False)
    embedded.remove(tmp_path / "empty")


@pytest.fixture
async def kept(server, tmp_path, configure):
    """The app on that server, and its changes received by `app backup schedule`."""
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(f"{identity}\n")
    roles = {"app_password": PASSWORD, "owner_password": PASSWORD, "backup_password": PASSWORD}
    database_roles.create_roles(server, database="app", **roles)
    host = server.rpartition("@")[2].partition("/")[0]
    configure(
        DATABASE_URL=f"postgresql://app:{PASSWORD}@{host}/app",
        DATABASE_OWNER_URL=f"postgresql://app_owner:{PASSWORD}@{host}/app",
        STORAGE_BACKEND="disk",
        STORAGE_FOLDER=tmp_path / "files",
        BACKUP_ADMIN_URL=in_database(server, "app"),
        BACKUP_STREAM_URL=f"postgresql://app_backup:{PASSWORD}@{host}/",
        BACKUP_FOLDER=tmp_path / "kept",
        BACKUP_SPOOL=tmp_path / "spool",
        BACKUP_RECIPIENTS=f'["{identity.to_public()}"]',
    )
    await db.close()
    await connections.close()
    migrate.upgrade()
    yield tmp_path / "identity"
    await db.close()
    await connections.close()


@contextmanager
def schedule() -> Iterator[None]:
    words = [sys.executable, "-m", "app.cli", "backup", "schedule"]
    with subprocess.Popen(words, cwd=ROOT, env=os.environ.copy()) as process:
        try:
            yield
        finally:
            process.terminate()
    assert process.returncode == 0


def bases() -> list[Path]:
    return [folder for place in wal.places() for folder, _ in place.bases()]


def switched(admin: psycopg.Connection) -> str:
    """The segment that ends here; what is asked next stands in another one."""
    admin.execute("CREATE TABLE IF NOT EXISTS of_nobody (id int)")
    admin.execute("INSERT INTO of_nobody VALUES (1)")
    (name,) = admin.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
    admin.execute("INSERT INTO of_nobody VALUES (1)")
    return str(name)


def is_kept(segment: str) -> Callable[[], bool]:
    return lambda: segment in wal.places()[0].segments()


def users_at(words: str, identity: Path) -> int:
    with moment.as_backup(words, identity) as then:
        return manifest.Manifest.read(then.backup).rows["users"]


def restored(identity: Path, at: str, server: str) -> subprocess.CompletedProcess[str]:
    """What an operator types, on a machine with an empty server."""
    settings = {
        # As compose.yml says it; the server has no such database yet.
        "BACKUP_ADMIN_URL": in_database(server, "again"),
        "DATABASE_APP_PASSWORD": PASSWORD,
        "DATABASE_OWNER_PASSWORD": PASSWORD,
        "BACKUP_IDENTITY": str(identity),
    }
    words = [
        sys.executable,
        "-m",
        "app.cli",
        "backup",
        "restore",
        "--at",
        at,
        "--database",
        "again",
    ]
    return subprocess.run(
        words, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False
    )


def refused(url: str, **more: str) -> bool:
    try:
        psycopg.connect(url, **more).close()
    except psycopg.OperationalError as error:
        return "pg_hba.conf rejects" in str(error)
    return False


async def test_back_to_a_moment(kept, empty_server, tmp_path):
    stream_url, app_url = os.environ["BACKUP_STREAM_URL"], os.environ["DATABASE_URL"]
    assert refused(in_database(stream_url, "app")), "who streams asks no database anything"
    assert refused(app_url, replication="true"), "and nobody else streams"
    with psycopg.connect(os.environ["BACKUP_ADMIN_URL"], autocommit=True) as admin:
        with schedule():
            await asyncio.to_thread(until, lambda: len(bases()) == 1, "a base backup")
            someone = await make_user()
            for number in range(3):
                async with db.transaction(organization_id=someone.organization_id) as session:
                    await audit.record(
                        session, "test.happened", organization_id=someone.organization_id,
                        detail={"number": number},
                    )  # fmt: skip
            (then,) = admin.execute("SELECT clock_timestamp()").fetchone() or ()
            later = await make_user()
            admin.execute("DELETE FROM users WHERE email = %s", [someone.email])
            admin.execute("ALTER TABLE audit_events DISABLE TRIGGER USER")
            admin.execute("DELETE FROM audit_events")
            await asyncio.to_thread(until, is_kept(switched(admin)), "the segment is kept")
            last = await make_user()
            spool = wal.places()[0].spool

            def written() -> bool:
                return last.email.encode() in b"".join(one.read_bytes() for one in spool.iterdir())

            await asyncio.to_thread(until, written, "the newest change is received")
            assert stream.problem() == ""
        assert stream.problem() == "Nobody receives the changes."
        files = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
        assert not [path for path in files if someone.email.encode() in path.read_bytes()]

        done = await asyncio.to_thread(restored, kept, then.isoformat(), empty_server.admin)
        assert done.returncode == 0, done.stdout + done.stderr
        with psycopg.connect(in_database(empty_server.admin, "again")) as back:
            emails = [one for (one,) in back.execute("SELECT email FROM users").fetchall()]
            (events,) = back.execute("SELECT count(*) FROM audit_events").fetchone() or ()
        assert emails == [someone.email]
        assert events >= 3
        assert later.email not in emails
        assert await asyncio.to_thread(users_at, "latest", kept) == 2, "the spool counts, too"
        ahead = (now() + timedelta(days=1)).isoformat()
        with pytest.raises(CannotRestore, match="has not come yet"):
            users_at(ahead, kept)
        with pytest.raises(CannotRestore, match="No base backup is older"):
            users_at("2020-01-01", kept)

        # Nobody receives for so long that the server keeps no more: the disk is not filled.
        for _ in range(4):
            switched(admin)
        admin.execute("CHECKPOINT")
        slot = "SELECT wal_status, pg_current_wal_lsn() FROM pg_replication_slots"
        assert (admin.execute(slot).fetchone() or ("",))[0] == "lost"
        during = now()
        with schedule():
            await asyncio.to_thread(until, lambda: len(bases()) == 2, "another chain begins")
            await asyncio.to_thread(until, is_kept(switched(admin)), "it goes on")
    with pytest.raises(CannotRestore, match="ends before that moment"):
        await asyncio.to_thread(users_at, during.isoformat(), kept)
    assert await asyncio.to_thread(users_at, "latest", kept) == 2
