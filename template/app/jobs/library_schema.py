"""The tables of the queue library, brought up by our migrations.

The library ships its history as SQL files that never change once released. A migration of ours
applies a range of them, so a database made today and one made years ago end up alike. When a
new version of the library brings files, a test fails and tells what the next migration says.
"""

from hashlib import sha256
from pathlib import Path

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection


class UnexpectedSchema(RuntimeError):
    """The installed library has other SQL files than the migration was written for."""


def files(*, after: str = "", until: str = "~") -> list[Path]:
    """The library's SQL files in order; names as in `03.04.00_50_post_add_retry`."""
    folder = Path(SchemaManager.get_migrations_path())
    return [path for path in sorted(folder.glob("*.sql")) if after < path.stem <= until]


def digest(paths: list[Path]) -> str:
    return sha256(b"\n".join(path.read_bytes() for path in paths)).hexdigest()


def apply(connection: Connection, *, until: str, expect: str, after: str = "") -> None:
    """Run the files of a range; `expect` is their digest, so that all get the same tables."""
    found = files(after=after, until=until)
    if not found or found[-1].stem != until or digest(found) != expect:
        raise UnexpectedSchema(f"procrastinate's SQL files up to {until} are not those expected.")
    driver = connection.connection.driver_connection
    assert driver is not None
    for path in found:
        driver.execute(path.read_text(encoding="utf-8"))
