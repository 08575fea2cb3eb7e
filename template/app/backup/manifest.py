"""What was in the database at the moment of the backup, so that a restored one can be compared."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg import sql

from app.core.settings import get_settings

NAME = "manifest.json"


@dataclass
class Manifest:
    """Numbers and names, and nothing of what people wrote: it is not encrypted."""

    taken_at: datetime
    """The snapshot: whatever was committed later is not in the backup."""
    server_version: int
    rows: dict[str, int]
    """How many each table has."""
    audit_heads: dict[str, str]
    """Each chain's newest hash."""
    keys: list[str]
    """Names of the ENCRYPTION_KEYS without which encrypted columns stay closed."""
    files: int = 0
    bytes: int = 0
    seconds: float = 0
    digests: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the encrypted files beside it."""

    def write(self, folder: Path) -> None:
        told = asdict(self) | {"taken_at": self.taken_at.isoformat()}
        (folder / NAME).write_text(json.dumps(told, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        told = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return cls(**told | {"taken_at": datetime.fromisoformat(told["taken_at"])})


def of(db: psycopg.Connection) -> Manifest:
    """As the connection's transaction sees it."""
    (moment,) = db.execute("SELECT now()").fetchone() or ()
    return Manifest(
        taken_at=moment,
        server_version=db.info.server_version,
        rows=rows(db),
        audit_heads=audit_heads(db),
        keys=key_names(),
    )


def rows(db: psycopg.Connection) -> dict[str, int]:
    tables = db.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'public'::regnamespace ORDER BY relname"
    ).fetchall()
    found = {}
    for (name,) in tables:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", name))
        found[str(name)] = int((db.execute(query).fetchone() or (0,))[0])
    return found


def audit_heads(db: psycopg.Connection) -> dict[str, str]:
    heads = db.execute("SELECT organization_id, sequence, hash FROM audit_heads").fetchall()
    return {str(whose): f"{sequence}:{bytes(head).hex()}" for whose, sequence, head in heads}


def key_names() -> list[str]:
    keys = get_settings().encryption_keys.get_secret_value()
    return [entry.partition(":")[0] for entry in keys.split(",") if entry]


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
