"""Make a backup: one snapshot of the database and the files that it names, encrypted on the way.

Nothing readable touches a disk: pg_dump writes into the encryption. The folder of a backup appears
when it is whole.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import BufferedIOBase
from pathlib import Path
from time import monotonic
from typing import IO, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.backup import manifest
from app.backup.errors import BackupFailed
from app.backup.manifest import Manifest
from app.backup.settings import BackupSettings
from app.core.clock import now
from app.core.embedded import programs
from app.modules import parts

DATABASE, FILES = "database.dump.age", "files.tar.age"
NAMED = "%Y-%m-%dT%H-%M-%SZ"
KEPT_ANYWAY = 3
# No backup and no drill takes longer: what is older was left by a process that was killed.
DRAFT_AGE = timedelta(days=1)


def make(
    folder: Path, admin_url: str, recipients: Sequence[str], *, with_files: bool = True
) -> Path:
    """Make one in `folder`; its own folder, named by the moment."""
    began = monotonic()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = now().strftime(NAMED)
    draft = folder / f".{name}.{os.getpid()}"
    draft.mkdir(mode=0o700)
    try:
        with psycopg.connect(admin_url) as db:
            db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            (snapshot,) = db.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
            found = manifest.of(db)
            _dump(admin_url, str(snapshot), draft / DATABASE, recipients)
        # Files come after the rows that name them, and are never changed: none can be missing
        # but those that were deleted meanwhile.
        if with_files:
            _keep_files(found, draft / FILES, recipients)
        kept = [path for path in (draft / DATABASE, draft / FILES) if path.exists()]
        found.digests = {path.name: manifest.digest(path) for path in kept}
        found.bytes = sum(path.stat().st_size for path in kept)
        found.seconds = round(monotonic() - began, 3)
        found.write(draft)
        on_disk(draft)
        return draft.rename(folder / name)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def backups(folder: Path) -> list[Path]:
    """Those that are whole, the oldest first."""
    return sorted(path.parent for path in folder.glob(f"[0-9]*/{manifest.NAME}"))


def forget_old(folder: Path, keep_days: int) -> list[str]:
    """Delete what is older, but never the newest few; and drafts that nobody works on any more."""
    gone = []
    for one in backups(folder)[:-KEPT_ANYWAY]:
        if Manifest.read(one).taken_at < now() - timedelta(days=keep_days):
            shutil.rmtree(one)
            gone.append(one.name)
    for draft in (*folder.glob(".[0-9]*Z.*"), *folder.glob(".drill-*")):
        if draft.stat().st_mtime < (now() - DRAFT_AGE).timestamp():
            shutil.rmtree(draft)
            gone.append(draft.name)
    return gone


def run(program: str, url: str, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    """One of PostgreSQL's programs, logged in; the password is not among its arguments."""
    known = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    names = {"user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    names |= {key: f"PG{key.upper()}" for key in ("host", "port", "sslmode", "sslrootcert")}
    env = {names[key]: value for key, value in known.items() if key in names}
    command = [str(programs.find().bin / program), "--no-password", *arguments]
    return subprocess.Popen(  # noqa: S603 our own words
        command, env=programs.environment() | env, **more
    )


def _dump(url: str, snapshot: str, path: Path, recipients: Sequence[str]) -> None:
    words = ("--format=custom", f"--snapshot={snapshot}")
    with tempfile.TemporaryFile() as said:
        with run("pg_dump", url, *words, stdout=subprocess.PIPE, stderr=said) as process:
            assert process.stdout
            encrypt(process.stdout, path, recipients)
        said.seek(0)
        if process.returncode:
            raise BackupFailed(f"pg_dump: {said.read().decode(errors='replace').strip()[-500:]}")


def _keep_files(found: Manifest, path: Path, recipients: Sequence[str]) -> None:
    stores = parts("kept_files")
    if not stores:
        return
    with (
        _piped(lambda source: encrypt(source, path, recipients)) as target,
        tarfile.open(fileobj=target, mode="w|") as tar,
    ):
        for store in stores:
            for name, content in store.everything():
                entry = tarfile.TarInfo(f"{store.__name__.split('.')[1]}/{name}")
                entry.size = content.seek(0, os.SEEK_END)
                content.seek(0)
                tar.addfile(entry, content)
                found.files += 1


@contextmanager
def _piped(take: Callable[[Any], None]) -> Iterator[IO[bytes]]:
    """Something to write to, which `take` reads at the same time."""
    with _beside(take, "rb") as end, suppress(BrokenPipeError), os.fdopen(end, "wb") as writer:
        yield writer


@contextmanager
def piped_from(give: Callable[[Any], None]) -> Iterator[IO[bytes]]:
    """Something to read from, which `give` writes at the same time."""
    with _beside(give, "wb") as end, os.fdopen(end, "rb") as reader:
        yield reader


@contextmanager
def _beside(work: Callable[[Any], None], mode: str) -> Iterator[int]:
    """Run `work` in a thread on one end of a pipe; the other end."""
    reading, writing = os.pipe()
    theirs, ours = (reading, writing) if mode == "rb" else (writing, reading)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(theirs, mode) as file:
                work(file)
        except BaseException as error:  # noqa: BLE001 raised again below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ours
    finally:
        thread.join()
    if failed:
        raise failed[0]


def encrypt(source: BufferedIOBase | IO[bytes], path: Path, recipients: Sequence[str]) -> None:
    import pyrage

    keys = [pyrage.x25519.Recipient.from_str(one) for one in recipients]
    with path.open("xb") as target:
        pyrage.encrypt_io(source, target, keys)


def on_disk(folder: Path) -> None:
    """A power cut after this loses nothing of it."""
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def recipients() -> list[str]:
    """Those of the settings. Raises `BackupFailed` when there are none, or they are no keys."""
    import pyrage

    found = BackupSettings.load().recipients
    if not found:
        raise BackupFailed(
            "BACKUP_RECIPIENTS is empty: run `app backup new-key` on a machine of yours and write"
            " the public half here."
        )
    for one in found:
        try:
            pyrage.x25519.Recipient.from_str(one)
        except pyrage.RecipientError as error:
            raise BackupFailed("BACKUP_RECIPIENTS holds what is no age1… key.") from error
    return found
