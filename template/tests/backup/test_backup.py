"""What was lost comes back: rows, roles, rights, row security, chains, keys and files."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pyrage
import pytest
from typer.testing import CliRunner

from app import modules
from app.audit import service as audit
from app.backup import archive, drill, manifest, restore
from app.backup.commands import commands
from app.backup.errors import BackupFailed, CannotRestore
from app.core import db
from app.core.clock import now
from app.core.database_roles import drop_database, in_database
from tests.factories import make_user

pytestmark = pytest.mark.dear

RIGHTS = {
    "policies": "SELECT tablename, policyname, roles::text, cmd, qual, with_check FROM pg_policies"
    " ORDER BY 1, 2",
    "grants": "SELECT relname, relacl::text, relrowsecurity, relforcerowsecurity,"
    " pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " ORDER BY 1",
    "functions": "SELECT proname, proacl::text, prosecdef, pg_get_userbyid(proowner) FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace ORDER BY 1, 2",
    "triggers": "SELECT tgname, tgrelid::regclass::text, tgenabled FROM pg_trigger"
    " WHERE NOT tgisinternal ORDER BY 1, 2",
    "people": "SELECT id, email FROM users ORDER BY 1",
    "roles": "SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, rolconfig FROM pg_roles"
    " WHERE rolname LIKE 'app%' ORDER BY 1",
}
WHOLE = b"A file of the organisation's. " * 20_000


def look(url: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(url) as admin:
        return {name: admin.execute(query.encode()).fetchall() for name, query in RIGHTS.items()}


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, Path]:
    made = pyrage.x25519.Identity.generate()
    path = tmp_path / "identity"
    path.write_text(f"# kept elsewhere\n{made}\n")
    return str(made.to_public()), path


async def a_file() -> AsyncIterator[bytes]:
    yield WHOLE


async def test_a_destroyed_server_comes_back_on_a_new_one(
    own_database, new_server, key, tmp_path, configure
):
    someone = await make_user()
    for number in range(3):
        async with db.transaction(organization_id=someone.organization_id) as session:
            await audit.record(
                session,
                "test.happened",
                organization_id=someone.organization_id,
                detail={"number": number},
            )
    kept = None
    if modules.has("storage"):
        from app.storage import service as storage

        name = storage.new_name(someone.organization_id)
        kept = await storage.keep(name, a_file(), most=10_000_000)
    before = look(own_database.admin)

    made = await asyncio.to_thread(archive.make, tmp_path / "kept", own_database.admin, [key[0]])

    lost = await make_user()
    told = manifest.Manifest.read(made)
    everything = b"".join(path.read_bytes() for path in made.iterdir())
    assert someone.email.encode() not in everything
    assert b"A file of the" not in everything

    # The old server and the old folder are gone; what follows knows the backup alone.
    await db.close()
    with psycopg.connect(own_database.admin) as admin:
        (database,) = admin.execute("SELECT current_database()").fetchone() or ("",)
    drop_database(in_database(own_database.admin, "postgres"), database)
    passwords = {"app_password": "one" * 8, "owner_password": "other" * 8}
    await asyncio.to_thread(
        restore.into, made, key[1], new_server.admin, database="again", **passwords
    )

    urls = new_server.of("again")
    assert look(urls.admin) == before
    assert next((name, count) for name, count in told.rows.items() if name == "users") == (
        "users",
        1,
    )
    host = urls.app.partition("@")[2]
    settings = {
        "DATABASE_URL": f"postgresql://app:{passwords['app_password']}@{host}",
        "DATABASE_OWNER_URL": f"postgresql://app_owner:{passwords['owner_password']}@{host}",
        "STORAGE_FOLDER": str(tmp_path / "files-again"),
    }
    found = await asyncio.to_thread(drill.look, made, urls.admin, os.environ | settings, key[1])
    assert found == []

    configure(**settings)
    await db.close()
    if kept:
        from app.storage import service as storage

        assert b"".join([piece async for piece in storage.read(kept.name, kept.secret)]) == WHOLE
    async with db.transaction(elevated=True) as session:
        from sqlalchemy import text

        emails = (await session.scalars(text("SELECT email FROM users"))).all()
    assert someone.email in emails
    assert lost.email not in emails, "it came after the backup"

    with psycopg.connect(urls.admin) as admin:
        admin.execute("DELETE FROM users")
        admin.execute("ALTER TABLE audit_events DISABLE TRIGGER USER")
        admin.execute("UPDATE audit_events SET action = 'test.changed' WHERE sequence = 2")
    problems = await asyncio.to_thread(drill.look, made, urls.admin, os.environ | settings)
    assert "users: 0 rows instead of 1" in problems
    assert any("Event 2 was changed" in one for one in problems)


async def test_a_wrong_key_or_a_changed_backup_leaves_the_server_empty(
    database, new_server, key, tmp_path
):
    made = await asyncio.to_thread(archive.make, tmp_path / "kept", database.admin, [key[0]])
    passwords = {"app_password": "one" * 8, "owner_password": "other" * 8}
    wrong = tmp_path / "wrong"
    wrong.write_text(str(pyrage.x25519.Identity.generate()))

    def into(identity: Path) -> None:
        restore.into(made, identity, new_server.admin, database="again", **passwords)

    with pytest.raises(CannotRestore, match="does not open"):
        await asyncio.to_thread(into, wrong)
    path = made / archive.DATABASE
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CannotRestore, match="is not what was written"):
        await asyncio.to_thread(into, key[1])
    told = json.loads((made / manifest.NAME).read_text())
    told["digests"][archive.DATABASE] = manifest.digest(path)
    (made / manifest.NAME).write_text(json.dumps(told))
    with pytest.raises(CannotRestore):
        await asyncio.to_thread(into, key[1])

    with psycopg.connect(in_database(new_server.admin, "again")) as admin:
        assert manifest.rows(admin) == {}
        admin.execute("CREATE TABLE somebodys (id int)")
        admin.commit()
    path.write_bytes(whole)
    told["digests"][archive.DATABASE] = manifest.digest(path)
    (made / manifest.NAME).write_text(json.dumps(told | {"keys": []}))
    with pytest.raises(CannotRestore, match="holds tables already"):
        await asyncio.to_thread(into, key[1])
    (made / manifest.NAME).write_text(json.dumps(told | {"keys": ["gone"]}))
    with pytest.raises(CannotRestore, match="ENCRYPTION_KEYS lacks gone"):
        await asyncio.to_thread(into, key[1])


def test_old_backups_go_and_the_newest_stay(tmp_path):
    for days in (40, 30, 20, 10, 2, 1):
        moment = now() - timedelta(days=days)
        folder = tmp_path / moment.strftime("%Y-%m-%dT%H-%M-%SZ")
        folder.mkdir()
        manifest.Manifest(moment, 180000, {}, {}, []).write(folder)
    drafts = [tmp_path / name for name in (".2026-01-01T00-00-00Z.7", ".drill-old", ".drill-new")]
    for draft in drafts:
        draft.mkdir()
        (draft / "half").touch()
        if draft.name != ".drill-new":
            long_ago = (now() - timedelta(days=2)).timestamp()
            os.utime(draft, (long_ago, long_ago))

    gone = archive.forget_old(tmp_path, keep_days=14)

    assert [one.exists() for one in drafts] == [False, False, True], "killed; killed; at work"
    assert len(gone) == 5
    assert len(archive.backups(tmp_path)) == 3
    assert archive.forget_old(tmp_path, keep_days=1) == [], "the newest three stay"


def test_a_restore_that_was_killed_is_not_taken_for_one(key, tmp_path, monkeypatch):
    path = tmp_path / "database.dump.age"
    path.write_bytes(pyrage.encrypt(b"a dump", [pyrage.x25519.Recipient.from_str(key[0])]))
    killed = ["sh", "-c", "cat > /dev/null; kill -9 $$"]
    monkeypatch.setattr(archive, "run", lambda *_, **more: subprocess.Popen(killed, **more))

    with pytest.raises(CannotRestore, match="was killed"):
        restore._fill(path, key[1], "", "again")


def test_an_image_without_the_programs_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrage", None)

    done = CliRunner().invoke(commands, ["run"])

    assert isinstance(done.exception, BackupFailed)
    assert "docker compose run --rm backup" in str(done.exception)
