"""What docs/security/data.md promises of each level holds for every column of it."""

import ast
import io
import json
import logging
import secrets
from pathlib import Path

import pytest
from sqlalchemy import Column, LargeBinary, Text, text

import app as package
from app.core import data, db
from app.core import logging as ours
from app.core.data import ACCOUNT, FOREVER, INSTALLATION, ORGANIZATION, Level
from app.jobs.queue import SCHEDULES
from app.modules import parts
from tests.factories import make_organization, make_user, sign_in


@pytest.fixture
def lines():
    ours.configure()
    handler = logging.getLogger().handlers[0]
    handler.stream, before = io.StringIO(), handler.stream
    yield handler.stream
    handler.stream = before


TABLES = list(data.tables())
OWNERS = {ACCOUNT: "users", ORGANIZATION: "organizations"}
HASHES = {"hash", "password_hash"}
# To the person whose it is, while an authenticator app is set up.
SHOWN_ONCE = {"secret"}


def columns(*levels):
    for table, declared in TABLES:
        for column in table.columns:
            if declared and data.level(column, declared) in levels:
                yield column


@pytest.mark.asvs("14.1.1")
@pytest.mark.parametrize("table", TABLES, ids=lambda one: one[0].name)
def test_every_column_has_a_level(table):
    table, declared = table
    assert declared, f"{table.name}: say `__data__ = holds(...)`, see app/core/data.py"
    unknown = [one.name for one in table.columns if data.level(one, declared) is None]
    assert not unknown, f"{table.name}: say of these what they hold"
    assert set(declared.levels) <= {one.name for one in table.columns}


@pytest.mark.asvs("14.2.4", "14.1.2")
def test_credentials_are_digests_hashes_or_encrypted():
    found = list(columns(Level.CREDENTIAL))
    assert found
    for column in found:
        name = f"{column.table.name}.{column.name}"
        assert isinstance(column.type, LargeBinary) or column.name in HASHES, name


@pytest.mark.asvs("14.2.4")
async def test_the_ordinary_role_reads_no_hash_and_nothing_encrypted(auth_db):
    asked = text("SELECT has_column_privilege('app', :t, :c, 'SELECT')")
    for column in columns(Level.PERSONAL, Level.WORDS, Level.CREDENTIAL):
        if column.info.get("encrypted_for") or column.name in HASHES:
            given = {"t": column.table.name, "c": column.name}
            assert not await auth_db.scalar(asked, given), given


def test_what_is_encrypted_is_not_called_plain():
    assert not [one for one in columns(Level.PLAIN) if one.info.get("encrypted_for")]


@pytest.mark.asvs("14.2.4")
async def test_whatever_is_not_plain_stands_behind_forced_row_security(auth_db):
    asked = text("SELECT relforcerowsecurity FROM pg_class WHERE oid = CAST(:t AS regclass)")
    tables = {one.table.name for one in columns(Level.PERSONAL, Level.WORDS, Level.CREDENTIAL)}
    for name in sorted(tables):
        assert await auth_db.scalar(asked, {"t": name}), name


@pytest.mark.asvs("14.2.4")
@pytest.mark.parametrize("table", TABLES, ids=lambda one: one[0].name)
def test_every_row_has_an_end(table):
    """It goes with its person or organisation, or a scheduled job deletes it."""
    table, declared = table
    parts("jobs")
    if declared.kept == FOREVER:
        assert table.name.startswith("audit_")
    elif declared.kept == INSTALLATION:
        assert {data.level(one, declared) for one in table.columns} == {Level.PLAIN}
    elif owner := OWNERS.get(declared.kept):
        assert table.name == owner or owner in _goes_with(table)
    else:
        assert declared.kept in {name for name, _ in SCHEDULES}


def _goes_with(table, seen=()):
    for key in table.foreign_keys:
        if key.ondelete == "CASCADE" and key.column.table.name not in seen:
            yield key.column.table.name
            yield from _goes_with(key.column.table, (*seen, key.column.table.name))


@pytest.mark.asvs("14.2.4", "16.2.5")
def test_no_log_line_and_no_event_is_given_what_is_not_plain():
    private = {one.name for one in columns(Level.PERSONAL, Level.WORDS, Level.CREDENTIAL)}
    private -= {"target", "detail", "name", "hash", "reason"}  # names of other things, too
    for path in Path(package.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and _tells(call):
                assert not private & set(_given(call)), f"{path}:{call.lineno}"


def _tells(call):
    called = ast.unparse(call.func)
    owner, _, method = called.rpartition(".")
    return owner in {"log", "line"} or (owner, method) == ("audit", "record")


def _given(call):
    for one in call.keywords:
        yield one.arg
        if one.arg == "detail" and isinstance(one.value, ast.Dict):
            yield from (ast.literal_eval(key) for key in one.value.keys if key is not None)


@pytest.mark.asvs("14.2.4")
async def test_no_answer_has_a_field_for_a_credential(app):
    schemas = app.openapi()["components"]["schemas"].values()
    fields = {name for schema in schemas for name in schema.get("properties", {})}
    stored = {one.name for one in columns(Level.CREDENTIAL)} - SHOWN_ONCE
    # A name that stands for something else elsewhere says nothing.
    stored -= {one.name for one in columns(Level.PLAIN, Level.PERSONAL, Level.WORDS)}
    assert not fields & stored


@pytest.mark.asvs("14.2.4", "16.2.5")
async def test_nothing_of_a_person_reaches_the_log_or_the_audit_log(client, lines):
    """What is marked is sent to wherever it is taken; then every line and event is read."""
    marks = {name: secrets.token_hex(6) for name in ("address", "name", "agent", "password")}
    organization = await make_organization()
    ada = await make_user(organization, role="admin", email=f"{marks['address']}@example.com")
    client.headers["User-Agent"] = f"Browser {marks['agent']}"
    for password in (f"wrong {marks['password']}", ada.password):
        sent = {"email": ada.email, "password": password}
        await client.post("/api/auth/sign-in", json=sent)
    await sign_in(client, ada)
    await client.patch("/api/me", json={"display_name": f"Ada {marks['name']}"})
    await client.patch("/api/me", json={"display_name": marks["name"] * 99})
    await client.post("/api/auth/password/forgot", json={"email": ada.email})
    await client.get(f"/api/users?q={marks['name']}")
    await client.get(f"/nowhere/{marks['name']}")
    async with db.transaction(organization_id=organization.id) as session:
        rows = (await session.execute(text("SELECT target, detail FROM audit_events"))).all()
    told = lines.getvalue() + json.dumps([[one.target, one.detail] for one in rows])
    assert "/api/me" in told
    assert rows
    for name, mark in marks.items():
        assert mark not in "\n".join(one for one in told.splitlines() if "httpx" not in one), name


def test_what_nobody_has_thought_about_has_no_level():
    column = Column("remark", Text)
    assert data.level(column, data.holds(kept=ACCOUNT)) is None
    assert data.level(column, data.holds(kept=ACCOUNT, words="remark")) is Level.WORDS
