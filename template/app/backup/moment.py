"""Go back to a moment: a server of our own replays the log on a base backup and ends there.

What it then holds becomes an ordinary backup, which is restored like every other one: into a new
server of any kind, or beside the database that people work on.
"""

import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.pq import PGconn, Ping

from app.backup import archive, manifest, restore, stream, wal
from app.backup.errors import CannotRestore
from app.backup.manifest import Manifest
from app.backup.settings import BackupSettings
from app.backup.wal import ENDING, PARTIAL, SEGMENT, Base, Place
from app.core.clock import now
from app.core.embedded import programs
from app.core.embedded.programs import Account

LATEST = "latest"
# Only who may enter the folder of the socket gets in; its roles have the passwords of then.
LETS_IN = "local all all trust\n"
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "archive_mode": "off",
    "archive_timeout": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "20",
    "shared_buffers": "128MB",
    "shared_preload_libraries": "",
    "hot_standby": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "huge_pages": "off",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "recovery_target_action": "promote",
}


@dataclass(frozen=True)
class Then:
    """A backup of a moment, and what it took."""

    backup: Path
    keys: Path
    """A file of private keys that opens it."""
    last_change: datetime | None
    """The newest one that is in it."""
    seconds: float


def moment_of(words: str) -> datetime | None:
    """`latest` is none: everything that was kept."""
    if words == LATEST:
        return None
    try:
        found = datetime.fromisoformat(words)
    except ValueError as error:
        raise CannotRestore(f"{words} is no moment: write it as 2026-03-01T14:05:00Z.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@contextmanager
def as_backup(words: str, identity: Path) -> Iterator[Then]:
    """Raises `CannotRestore` when the moment is not in reach."""
    import pyrage

    began, moment = time.monotonic(), moment_of(words)
    place, base_folder, base, names = _found(moment)
    parent = BackupSettings.load().folder
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=".drill-"))
    account = programs.account(programs.find(base.server_version // 10000), folder)
    own = pyrage.x25519.Identity.generate()
    keys = folder / "identity"
    keys.touch(mode=0o600)
    keys.write_text(f"{own}\n{identity.read_text(encoding='utf-8')}", encoding="utf-8")
    try:
        _unpack(base_folder, base, identity, account.home / "data")
        _bring(place, names, identity, account.home / "wal")
        with _replayed(account, moment, base) as url:
            with psycopg.connect(url) as db:
                (last,) = db.execute("SELECT pg_last_xact_replay_timestamp()").fetchone() or (None,)
            made = archive.make(folder / "made", url, [str(own.to_public())], with_files=False)
        _finish(made, moment or last, parent)
        yield Then(made, keys, last, round(time.monotonic() - began, 3))
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(account.home, ignore_errors=True)


def reach() -> list[str]:
    """Which moments can be gone back to, in sentences."""
    said = []
    for place in wal.places():
        if bases := place.bases():
            names = place.segments()
            until = f"segment {names[-1]}" if names else "its own end"
            said.append(f"Every moment since {bases[0][1].taken_at.isoformat()}, up to {until}.")
            if lacks := wal.gap(names, bases[0][1].first_segment):
                said.append(f"But segment {lacks} is missing: not what came between it and a base.")
    return said


def _found(moment: datetime | None) -> tuple[Place, Path, Base, list[str]]:
    """The newest base before the moment, and the segments that follow it."""
    found = [(place, *base) for place in wal.places() for base in place.bases()]
    fitting = [one for one in found if moment is None or one[2].taken_at <= moment]
    if not fitting:
        raise CannotRestore("No base backup is older than that: `app backup list` shows the reach.")
    if moment and moment > now():
        raise CannotRestore(f"{moment.isoformat()} has not come yet: --at latest is all there is.")
    place, folder, base = max(fitting, key=lambda one: one[2].taken_at)
    later = [one for _, one in place.bases() if moment and one.taken_at > moment]
    # By the second base after it something has happened that is later than the moment.
    end = later[1].first_segment[8:] if len(later) > 1 else "~"
    names = [one for one in place.segments() if base.first_segment[8:] <= one[8:] <= end]
    if moment is None and (lacks := wal.gap(names, base.first_segment)):
        raise CannotRestore(f"Segment {lacks} is missing: name a moment before it instead.")
    return place, folder, base, names


def _unpack(folder: Path, base: Base, identity: Path, target: Path) -> None:
    path = folder / stream.BASE
    if manifest.digest(path) != base.digests.get(path.name):
        raise CannotRestore(f"{folder.name}/{path.name} is not what was written.")
    target.mkdir(mode=0o700)
    with (
        archive.piped_from(lambda to: restore.decrypt(path, to, identity)) as plain,
        tarfile.open(fileobj=plain, mode="r|gz") as tar,
    ):
        tar.extractall(target, filter="data")
        while plain.read(1_048_576):  # What follows the archive's end is read, too.
            pass


def _bring(place: Place, names: list[str], identity: Path, target: Path) -> None:
    """The log where restore_command finds it; still compressed, for it is mostly empty."""
    target.mkdir(mode=0o700)
    for name in names:
        with (target / f"{name}.gz").open("xb") as file:
            restore.decrypt(place.wal / f"{name}{ENDING}", file, identity)
    # The newest stands in the spool, when this is the machine that it was received on.
    for path in sorted(place.spool.glob("*")) if place.spool.exists() else []:
        name = path.name.removesuffix(PARTIAL)
        if SEGMENT.fullmatch(name) and not (target / f"{name}.gz").exists():
            shutil.copy(path, target / name)


@contextmanager
def _replayed(account: Account, moment: datetime | None, base: Base) -> Iterator[str]:
    """The server when it has reached the moment, until its address is no longer needed."""
    data, log = account.home / "data", account.home / "server.log"
    socket = account.socket_folder()
    (account.home / "hba.conf").write_text(LETS_IN)
    (data / "recovery.signal").touch()
    segments = account.home / "wal"
    plain = f"'{segments}/%f'"
    command = f"if [ -e {plain}.gz ]; then gunzip -c {plain}.gz > '%p'; else cp {plain} '%p'; fi"
    settings = SETTINGS | {
        "hba_file": str(account.home / "hba.conf"),
        "unix_socket_directories": f'"{socket}"',
        "unix_socket_permissions": "0700",
        "restore_command": command,
    }
    if moment:
        settings["recovery_target_time"] = moment.isoformat()
    for path in [account.home, *account.home.rglob("*")]:
        if not path.is_symlink():
            account.own(path)
    words = [f"--{name}={value}" for name, value in settings.items()]
    uid, gid = account.user or (None, None)
    with (
        log.open("wb") as said,
        subprocess.Popen(  # noqa: S603 our own words
            account.command("postgres", "-D", str(data), *words),
            env=programs.environment(),
            cwd=account.home,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            user=uid,
            group=gid,
            extra_groups=None if account.user is None else [],
            start_new_session=True,
        ) as process,
    ):
        try:
            yield _address(process, str(socket), log, base)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _address(process: subprocess.Popen[bytes], socket: str, log: Path, base: Base) -> str:
    while PGconn.ping(f"host='{socket}' port=5432 user={base.admin}".encode()) != Ping.OK:
        if process.poll() is not None:
            raise CannotRestore(_why(log.read_text(errors="replace")))
        time.sleep(0.05)
    query = f"host={quote(socket, safe='/')}&port=5432"
    return f"postgresql://{quote(base.admin, safe='')}@/{quote(base.database, safe='')}?{query}"


def _why(said: str) -> str:
    last = re.findall(r"last completed transaction was at log time (.+)", said)
    if "recovery ended before configured recovery target was reached" in said:
        return (
            f"What was kept ends before that moment{f', at {last[-1]}' if last else ''}: "
            "--at latest restores all of it."
        )
    grave = [line for line in said.splitlines() if re.search("FATAL|PANIC", line)]
    return f"The log could not be replayed: {(grave or said.splitlines() or [''])[0]}"


def _finish(made: Path, moment: datetime | None, folder: Path) -> None:
    """Files are in the ordinary backups only: those of the last one before the moment."""
    told = Manifest.read(made)
    told.taken_at = moment or told.taken_at
    whole = [one for one in archive.backups(folder) if (one / archive.FILES).exists()]
    if before := [one for one in whole if Manifest.read(one).taken_at <= told.taken_at]:
        (made / archive.FILES).symlink_to((before[-1] / archive.FILES).absolute())
        told.files = Manifest.read(before[-1]).files
    told.write(made)
