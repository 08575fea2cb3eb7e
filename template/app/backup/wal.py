"""The log of changes (WAL) and the base backups that it is replayed on.

They stand beside the backups, each server's by themselves: one's log means nothing to another. A
segment is `NAME.gz.age`: `age -d -i identity.txt NAME.gz.age | gunzip` opens it without the app.
"""

import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from app.backup import manifest
from app.backup.settings import BackupSettings
from app.core.clock import now

FOLDER = "continuous"
SEGMENT = re.compile(r"[0-9A-F]{24}|[0-9A-F]{8}\.history")
ENDING, PARTIAL = ".gz.age", ".partial"
SEGMENT_BYTES = 16 * 1024 * 1024
# No backup and no drill takes longer: what is older was left by a process that was killed.
DRAFT_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Place:
    """What belongs to one server."""

    folder: Path
    spool: Path
    """What was received and is no whole segment yet."""

    @property
    def wal(self) -> Path:
        return self.folder / "wal"

    def make(self) -> None:
        for folder in (self.wal, self.folder / "base", self.spool):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def bases(self) -> list[tuple[Path, "Base"]]:
        """Those that are whole, the oldest first."""
        found = sorted(self.folder.glob(f"base/[0-9]*/{manifest.NAME}"))
        return [(path.parent, Base.read(path.parent)) for path in found]

    def segments(self) -> list[str]:
        """The names of those that are kept, the oldest first."""
        names = (path.name.removesuffix(ENDING) for path in self.wal.glob(f"*{ENDING}"))
        return sorted((one for one in names if SEGMENT.fullmatch(one)), key=lambda one: one[8:])


@dataclass
class Base:
    """A copy of the server's own files, which takes the log from `first_segment` on."""

    taken_at: datetime
    """When it was whole: moments after this one can be gone back to."""
    server_version: int
    first_segment: str
    database: str = "app"
    admin: str = "postgres"
    """Who sees all of it."""
    bytes: int = 0
    seconds: float = 0
    digests: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        told = asdict(self) | {"taken_at": self.taken_at.isoformat()}
        (folder / manifest.NAME).write_text(json.dumps(told, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Base":
        told = json.loads((folder / manifest.NAME).read_text(encoding="utf-8"))
        return cls(**told | {"taken_at": datetime.fromisoformat(told["taken_at"])})


def live(db: psycopg.Connection) -> Place:
    """The place of the server that this connection is to."""
    (number,) = db.execute("SELECT system_identifier FROM pg_control_system()").fetchone() or ("",)
    return _place(str(number))


def places() -> list[Place]:
    found = (BackupSettings.load().folder / FOLDER).glob("[0-9]*")
    return [_place(path.name) for path in sorted(found)]


def _place(server: str) -> Place:
    settings = BackupSettings.load()
    return Place(settings.folder / FOLDER / server, settings.spool / server)


def named(timeline: str, position: str) -> str:
    """The segment in which a position such as `0/2000028` stands."""
    high, _, low = position.partition("/")
    return f"{int(timeline):08X}{int(high, 16):08X}{int(low, 16) // SEGMENT_BYTES:08X}"


def gap(names: Iterable[str], first: str) -> str:
    """The first segment that lacks between `first` and the newest; nothing when all are there."""
    there = {_number(one) for one in names if len(one) == 24}
    for number in range(_number(first), max(there, default=0)):
        if number not in there:
            return f"{first[:8]}{number >> 8:08X}{number & 0xFF:08X}"
    return ""


def _number(name: str) -> int:
    return int(name[8:16], 16) * 256 + int(name[16:24], 16)


def forget_old(keep_days: int) -> list[str]:
    """Base backups and the log go together: every moment of the last `keep_days` stays in reach.

    That needs the newest base before them, and no segment that is older than it.
    """
    horizon, gone = now() - timedelta(days=keep_days), []
    for place in places():
        for draft in place.folder.glob("base/.*"):
            if draft.stat().st_mtime < (now() - DRAFT_AGE).timestamp():
                shutil.rmtree(draft)
                gone.append(draft.name)
        bases = place.bases()
        if not bases:
            continue
        before = [one for one in bases if one[1].taken_at <= horizon]
        # A server that is gone: once its newest segment is too old, nothing of it is needed.
        if before and len(before) == len(bases) and _newest(place) < horizon:
            shutil.rmtree(place.folder)
            gone.append(place.folder.name)
            continue
        for path, _ in before[:-1]:
            shutil.rmtree(path)
            gone.append(path.name)
        first = (before[-1:] or bases[:1])[0][1].first_segment
        for name in place.segments():
            if len(name) == 24 and _number(name) < _number(first):
                (place.wal / f"{name}{ENDING}").unlink()
                gone.append(name)
    return gone


def _newest(place: Place) -> datetime:
    changed = [path.stat().st_mtime for path in place.wal.iterdir()]
    return datetime.fromtimestamp(max(changed, default=0), UTC)
