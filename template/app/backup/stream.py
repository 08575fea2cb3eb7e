"""Receive every change as it is written, so that the time between two backups is not lost.

pg_receivewal writes into a spool on the database's own machine, where the database can be read
anyway; each whole segment goes from there, encrypted, to where backups are. A slot makes the server
keep what was not received, up to `max_slot_wal_keep_size`; beyond that it gives the slot up, the
chain is broken, and the next base backup begins another.
"""

import gzip
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock

import psycopg

from app.backup import archive, manifest, wal
from app.backup.errors import BackupFailed
from app.backup.settings import BackupSettings
from app.backup.wal import ENDING, PARTIAL, SEGMENT, Base, Place
from app.core.clock import now
from app.core.embedded import programs
from app.core.logging import log

SLOT = "backup"
BASE = "base.tar.gz.age"
BROKEN = "broken"
"""A file that stands where changes were missed, until a base begins anew."""
LOOK_SECONDS = 1
TRY_AGAIN_SECONDS = 30
_preparing = Lock()


def keep(stop: Event) -> None:
    """Until told to stop. Whatever fails is tried again, and the log tells of it."""
    while not stop.is_set():
        try:
            receive(stop)
        except Exception as error:  # noqa: BLE001 the next try may do better, and `list` tells
            log.error("backup.stream_failed", error=type(error).__name__, message=str(error)[:500])
            stop.wait(TRY_AGAIN_SECONDS)


def receive(stop: Event) -> None:
    url, recipients = _url(), archive.recipients()
    place = prepared()
    words = (f"--directory={place.spool}", f"--slot={SLOT}", "--no-loop")
    with (
        tempfile.TemporaryFile() as said,
        archive.run("pg_receivewal", url, *words, stderr=said) as process,
    ):
        try:
            while process.poll() is None and not stop.wait(LOOK_SECONDS):
                put_away(place, recipients)
        finally:
            process.terminate()
            process.wait()
        put_away(place, recipients)
        said.seek(0)
        if not stop.is_set():
            raise BackupFailed(f"pg_receivewal: {said.read().decode(errors='replace')[-300:]}")


def prepared() -> Place:
    """The place for this server, and its slot; one that the server gave up is made anew."""
    with _preparing, psycopg.connect(_admin_url(), autocommit=True) as db:
        _can_be_replayed_here(db)
        place = wal.live(db)
        place.make()
        query = "SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s"
        status = db.execute(query, [SLOT]).fetchone()
        if status == ("lost",):
            log.error("backup.stream_broken", message="A base follows.")
            db.execute("SELECT pg_drop_replication_slot(%s)", [SLOT])
            status = None
        if status is None:
            (place.folder / BROKEN).touch()
            # What was received before is no beginning for what comes now.
            for rest in place.spool.glob(f"*{PARTIAL}"):
                _put(rest, place, rest.name.removesuffix(PARTIAL), archive.recipients())
            db.execute("SELECT pg_create_physical_replication_slot(%s, true)", [SLOT])
    return place


def put_away(place: Place, recipients: Sequence[str]) -> None:
    """Bring whole segments from the spool to where backups are, the oldest first."""
    whole = (path for path in place.spool.iterdir() if SEGMENT.fullmatch(path.name))
    for path in sorted(whole, key=lambda one: one.name[8:]):
        _put(path, place, path.name, recipients)


def _put(path: Path, place: Place, name: str, recipients: Sequence[str]) -> None:
    import pyrage

    keys = [pyrage.x25519.Recipient.from_str(one) for one in recipients]
    draft = place.wal / f".{name}"
    with draft.open("wb") as file:
        file.write(pyrage.encrypt(gzip.compress(path.read_bytes(), 1), keys))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(place.wal / f"{name}{ENDING}")
    handle = os.open(place.wal, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    # Only now: a power cut before this leaves both.
    path.unlink()


def base_is_due() -> bool:
    place = prepared()
    bases = place.bases()
    if not bases or (place.folder / BROKEN).exists():
        return True
    newest = bases[-1][1]
    late = timedelta(hours=BackupSettings.load().base_every_hours)
    return newest.taken_at < now() - late or bool(wal.gap(place.segments(), newest.first_segment))


def make_base() -> Path:
    """Copy the server's files, encrypted on the way, and forget what is too old."""
    began = time.monotonic()
    url, recipients, place = _url(), archive.recipients(), prepared()
    name = now().strftime(archive.NAMED)
    draft = place.folder / "base" / f".{name}.{os.getpid()}"
    draft.mkdir(mode=0o700)
    # With the log that it needs to be whole: it can be restored even when all else is gone.
    words = ("--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--verbose")
    more = ("--compress=client-gzip:1",)
    with tempfile.TemporaryFile() as said:
        with archive.run(
            "pg_basebackup", url, *words, *more, stdout=subprocess.PIPE, stderr=said
        ) as process:
            assert process.stdout
            archive.encrypt(process.stdout, draft / BASE, recipients)
        said.seek(0)
        told = said.read().decode(errors="replace")
    if process.returncode:
        raise BackupFailed(f"pg_basebackup: {told.strip()[-500:]}")
    start = told.partition("log start point: ")[2].split()
    with psycopg.connect(_admin_url(), autocommit=True) as db:
        version, database, admin = db.info.server_version, db.info.dbname, db.info.user
    Base(
        taken_at=now(),
        server_version=version,
        first_segment=wal.named(start[3], start[0]),
        database=database,
        admin=admin,
        bytes=(draft / BASE).stat().st_size,
        seconds=round(time.monotonic() - began, 3),
        digests={BASE: manifest.digest(draft / BASE)},
    ).write(draft)
    archive.on_disk(draft)
    made = draft.rename(draft.with_name(name))
    (place.folder / BROKEN).unlink(missing_ok=True)
    wal.forget_old(BackupSettings.load().keep_days)
    return made


def problem() -> str:
    """Why changes are not kept as they should be; nothing when they are."""
    if not is_on():
        return ""
    with psycopg.connect(_admin_url(), autocommit=True) as db:
        query = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"
        active = db.execute(query, [SLOT]).fetchone()
        bases = wal.live(db).bases()
    late = now() - timedelta(hours=2 * BackupSettings.load().base_every_hours)
    if active != (True,):
        return "Nobody receives the changes."
    if not bases or bases[-1][1].taken_at < late:
        return "The newest base backup is too old."
    return ""


def is_on() -> bool:
    return bool(_url())


def _can_be_replayed_here(db: psycopg.Connection) -> None:
    programs.find(db.info.server_version // 10000)
    query = (
        "SELECT datname FROM pg_database WHERE datlocprovider <> 'b'"
        " AND datcollate NOT IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8')"
    )
    if found := db.execute(query).fetchone():
        raise BackupFailed(
            f"The database {found[0]} sorts by the system's own locale, which is not the same on"
            " another system: make the server anew with POSTGRES_INITDB_ARGS of compose.yml, or"
            " leave BACKUP_STREAM_URL empty."
        )


def _url() -> str:
    return BackupSettings.load().stream_url.get_secret_value()


def _admin_url() -> str:
    return BackupSettings.load().admin_url.get_secret_value()
