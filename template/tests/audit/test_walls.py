"""What the database itself refuses, whatever the app does."""

from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from app.audit import service
from app.audit.models import Anchor, Event, Head
from app.core.db import transaction

pytestmark = pytest.mark.usefixtures("app")

INSERT = """
INSERT INTO audit_events (id, organization_id, sequence, action, detail, previous_hash, hash)
VALUES (gen_random_uuid(), current_organization(), 99, 'test.forged', '{}', '', '')
"""
CHANGES = [
    INSERT,
    "UPDATE audit_events SET action = 'test.forged'",
    "DELETE FROM audit_events",
    "TRUNCATE audit_events",
    "UPDATE audit_heads SET sequence = 0",
    "DELETE FROM audit_heads",
    "INSERT INTO audit_heads (id, sequence, hash) VALUES (gen_random_uuid(), 1, '')",
    "UPDATE audit_anchors SET sequence = 0",
    "DELETE FROM audit_anchors",
    "TRUNCATE audit_anchors",
]


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize("elevated", [False, True], ids=["app", "app_auth"])
@pytest.mark.parametrize("statement", CHANGES)
async def test_the_app_cannot_change_the_log(five_events, statement, elevated):
    async with transaction(organization_id=five_events, elevated=elevated) as db:
        with pytest.raises(ProgrammingError, match=r"permission denied|only ever appended"):
            await db.execute(text(statement))


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize("statement", CHANGES)
async def test_the_owner_of_the_tables_cannot_change_the_log(five_events, statement, database):
    async with await psycopg.AsyncConnection.connect(database.owner) as connection:
        await connection.execute(
            "SELECT set_config('app.organization_id', %s, true)", [str(five_events)]
        )
        try:
            cursor = await connection.execute(statement)
            changed = cursor.rowcount
        except psycopg.errors.InsufficientPrivilege:
            changed = 0
        # An UPDATE of heads is not refused aloud: row security shows the owner none to change.
        assert changed == 0


async def test_not_even_the_administrator_changes_it_by_accident(five_events, database):
    async with await psycopg.AsyncConnection.connect(database.admin) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only ever appended"):
            await connection.execute("DELETE FROM audit_events")


async def test_an_organisation_sees_no_event_of_another(five_events):
    async with transaction(organization_id=uuid4()) as db:
        for table in (Event, Head, Anchor):
            assert await db.scalar(select(func.count()).select_from(table)) == 0
        page = await service.search(db, five_events)
    assert page.events == []


async def test_without_an_organisation_there_is_nothing_to_see(five_events):
    async with transaction() as db:
        assert await db.scalar(select(func.count()).select_from(Event)) == 0


async def test_app_auth_sees_one_chain_at_a_time(five_events):
    async with transaction(organization_id=five_events, elevated=True) as db:
        organizations = set(await db.scalars(select(Event.organization_id)))
    assert organizations == {five_events}


@pytest.mark.asvs("8.4.1")
async def test_an_organisation_cannot_write_into_the_chain_of_another(five_events):
    async with transaction(organization_id=uuid4()) as db:
        with pytest.raises(ProgrammingError, match="chain of another organisation"):
            await service.record(db, "test.forged", organization_id=five_events)


async def test_app_auth_may_write_into_any_chain(five_events):
    """Someone may accept the invitation of one organisation while signed in to another."""
    async with transaction(organization_id=uuid4(), elevated=True) as db:
        await service.record(db, "test.happened", organization_id=five_events)


async def test_nobody_else_may_call_the_function(database):
    async with await psycopg.AsyncConnection.connect(database.admin) as connection:
        callers = await connection.execute(
            "SELECT r.rolname FROM pg_roles r JOIN pg_proc p ON p.proname = 'audit_append'"
            " WHERE has_function_privilege(r.oid, p.oid, 'EXECUTE') AND NOT r.rolsuper"
        )
        names = {name for (name,) in await callers.fetchall()}
        settings = await connection.execute(
            "SELECT prosecdef, proconfig, pg_get_userbyid(proowner) FROM pg_proc"
            " WHERE proname = 'audit_append'"
        )
        definition = await settings.fetchone()
    assert names == {"app", "app_auth", "app_audit", "app_owner"}
    assert definition == (True, ["search_path=pg_catalog, pg_temp"], "app_audit")
