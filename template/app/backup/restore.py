"""Bring a backup into a server that is empty, and say whether it is what was backed up."""

import subprocess
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psycopg

from app.backup import archive, manifest
from app.backup.errors import CannotRestore
from app.backup.manifest import Manifest
from app.core.database_roles import create_roles, in_database
from app.modules import parts


def _identities(path: Path) -> list[Any]:
    """The private keys in a file as `age-keygen` and `app backup new-key` write it."""
    import pyrage

    lines = path.read_text(encoding="utf-8").split()
    found = [line for line in lines if line.startswith("AGE-SECRET-KEY-")]
    if not found:
        raise CannotRestore(f"{path} holds no AGE-SECRET-KEY-….")
    return [pyrage.x25519.Identity.from_str(line) for line in found]


def into(
    backup: Path,
    identity: Path,
    admin_url: str,
    *,
    database: str,
    app_password: str,
    owner_password: str,
) -> Manifest:
    """Make roles and database on the server and fill it: all of it, or nothing."""
    told = Manifest.read(backup)
    _check_digests(backup, told)
    if missing := [name for name in told.keys if name not in manifest.key_names()]:
        raise CannotRestore(
            f"ENCRYPTION_KEYS lacks {', '.join(missing)}: without it encrypted columns stay closed."
        )
    # The database of the address may not be there yet.
    create_roles(
        in_database(admin_url, "postgres"),
        database=database,
        app_password=app_password,
        owner_password=owner_password,
    )
    url = in_database(admin_url, database)
    with psycopg.connect(url) as db:
        if manifest.rows(db):
            raise CannotRestore(f"The database {database} holds tables already: name another one.")
    _fill(backup / archive.DATABASE, identity, url, database)
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("ANALYZE")
    return told


def _fill(path: Path, identity: Path, url: str, database: str) -> None:
    words = ("--single-transaction", "--exit-on-error", f"--dbname={database}")
    failed: Exception | None = None
    with tempfile.TemporaryFile() as said:
        with archive.run("pg_restore", url, *words, stdin=subprocess.PIPE, stderr=said) as process:
            assert process.stdin
            try:
                decrypt(path, process.stdin, identity)
                process.stdin.close()
            except (CannotRestore, OSError) as error:
                failed = error
                with suppress(subprocess.TimeoutExpired):
                    process.wait(1)  # It may have gone first, and says why.
                process.kill()  # What came so far must not be committed.
        said.seek(0)
        if process.returncode > 0:
            raise CannotRestore(f"pg_restore: {said.read().decode(errors='replace')[-500:]}")
    if failed:
        raise failed
    if process.returncode:
        raise CannotRestore(
            "pg_restore was killed, and nothing was restored: has it memory enough?"
        )


def put_files_back(backup: Path, identity: Path) -> int:
    """Bring the files to where the settings keep files; how many there were."""
    if not (backup / archive.FILES).exists():
        return 0
    stores = {store.__name__.split(".")[1]: store for store in parts("kept_files")}
    count = 0

    def write(target: IO[bytes]) -> None:
        decrypt(backup / archive.FILES, target, identity)

    with archive.piped_from(write) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
        for entry in tar:
            module, _, name = entry.name.partition("/")
            content = tar.extractfile(entry)
            if content is None or module not in stores:
                raise CannotRestore(f"Nothing here keeps {module}'s files.")
            stores[module].put_back(name, content)
            count += 1
    return count


def differences(told: Manifest, db: psycopg.Connection) -> list[str]:
    """What a restored database has otherwise than the one that was backed up."""
    now, then = manifest.rows(db), told.rows
    found = [
        f"{name}: {now.get(name, 0)} rows instead of {then.get(name, 0)}"
        for name in sorted({*now, *then})
        if now.get(name) != then.get(name)
    ]
    if manifest.audit_heads(db) != told.audit_heads:
        found.append("audit_heads: the chains end elsewhere")
    return found


def _check_digests(backup: Path, told: Manifest) -> None:
    for name, digest in told.digests.items():
        if not (backup / name).exists() or manifest.digest(backup / name) != digest:
            raise CannotRestore(f"{backup.name}/{name} is not what was written: take another one.")


def decrypt(path: Path, target: IO[bytes], identity: Path) -> None:
    import pyrage

    keys = _identities(identity)
    with path.open("rb") as source:
        try:
            pyrage.decrypt_io(source, target, keys)
        except (pyrage.DecryptError, OSError) as error:
            raise CannotRestore(f"{path.name} does not open with this key: {error}") from error
