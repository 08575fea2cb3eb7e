"""A new key takes over what older ones encrypted, and the old ones may go."""

import os
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import delete, func, text

from app.auth import notices, totp
from app.auth.models import TotpDevice
from app.core import crypto, db, rotation
from app.core.rotation import encrypted_columns
from tests.conftest import forget_settings
from tests.factories import make_user
from tests.usage.conftest import person_of


@pytest.fixture
def keys(configure):
    def use(*lines):
        configure(ENCRYPTION_KEYS=",".join(lines))
        crypto._keyring.cache_clear()

    return use


@pytest.fixture(autouse=True)
async def nothing_left_that_no_key_opens(database):
    """Set up before the keys change, so it ends after they are back."""
    yield
    forget_settings()
    crypto._keyring.cache_clear()
    async with db.transaction(elevated=True) as session:
        for one in encrypted_columns():
            own = func.substring(one.column, 1, len(crypto.newest())) == crypto.newest()
            await session.execute(delete(one.table).where(one.column.is_not(None), ~own))


async def secret_of(someone):
    async with db.transaction(elevated=True) as session:
        query = text("SELECT secret FROM totp_devices WHERE user_id = :u")
        return await session.scalar(query, {"u": someone.user_id})


@pytest.mark.asvs("11.2.2")
async def test_after_rotating_the_old_key_may_go(keys):
    old, new = crypto.new_key(), crypto.new_key()
    keys(old)
    ada = await make_user()
    secret, _ = await totp.begin(person_of(ada))
    async with db.transaction(elevated=True) as session:
        await notices.password_changed(session, ada.user_id, ada.email, "Ada")

    keys(new, old)
    counts = {one.column: one for one in await rotation.rotate()}
    assert counts["totp_devices.secret"].renewed >= 1
    assert counts["mail_messages.body"].renewed >= 1
    again = {one.column: one for one in await rotation.rotate()}
    assert all(one.renewed == 0 for one in again.values())

    keys(new)
    found, _ = await totp.pending_secret(person_of(ada))
    assert found == secret


async def test_what_no_key_opens_is_told_and_left(keys):
    keys(crypto.new_key())
    ada = await make_user()
    await totp.begin(person_of(ada))
    before = await secret_of(ada)

    keys(crypto.new_key())
    counts = {one.column: one for one in await rotation.rotate()}
    assert counts["totp_devices.secret"].unreadable >= 1
    assert await secret_of(ada) == before


@pytest.mark.dear
async def test_the_command_says_what_it_did(keys):
    old, new = crypto.new_key(), crypto.new_key()
    keys(old)
    ada = await make_user()
    await totp.begin(person_of(ada))
    words = [sys.executable, "-c", "from app.cli import main; main()", "keys", "rotate"]
    told = os.environ | {"ENCRYPTION_KEYS": f"{new},{old}"}
    done = subprocess.run(words, env=told, capture_output=True, text=True, check=False)
    assert "totp_devices.secret" in done.stdout
    name = new.partition(":")[0].encode()
    assert (await secret_of(ada)).startswith(crypto.VERSION + name + b"\0")


async def test_no_encrypted_column_is_forgotten(keys, database):
    """Whatever any test has stored: what looks encrypted stands in a column that says so."""
    keys(crypto.new_key())
    ada = await make_user()
    await totp.begin(person_of(ada))
    async with db.transaction(elevated=True) as session:
        await notices.password_changed(session, ada.user_id, ada.email, "Ada")
    head = crypto.newest()
    known = {(one.table.name, one.column.name) for one in encrypted_columns()}
    assert (TotpDevice.__tablename__, "secret") in known
    # Anchors are never written again: their seals keep the keys of their time.
    known |= {("audit_anchors", "seal")}
    with psycopg.connect(database.admin) as admin:
        columns = admin.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'bytea'"
        ).fetchall()
        assert len(columns) > 10
        for table, column in columns:
            found = admin.execute(
                f"SELECT 1 FROM {table} WHERE substring({column}, 1, %s) = %s LIMIT 1",
                [len(head), head],
            ).fetchone()
            assert not found or (table, column) in known, (table, column)
