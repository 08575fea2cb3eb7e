"""Lists that administrators page through, with many rows: no statement reads a whole table."""

import json
import re
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import event

from app.core.db import engine
from tests.factories import make_organization, make_user, sign_in

pytestmark = pytest.mark.dear

ROWS = 20_000
# A tenth of the rows is the organisation's own, the others are strangers'.
FILLED = """
SET session_replication_role = replica;
INSERT INTO organizations (id, name, slug) SELECT gen_random_uuid(), 'o' || n, 'o-' || n
    FROM generate_series(1, 9) n;
CREATE TEMP TABLE who AS SELECT id AS organization_id, row_number() OVER () AS place
    FROM organizations WHERE slug LIKE 'o-%%' OR id = %(own)s;
INSERT INTO users (id, email, display_name, activated_at)
    SELECT gen_random_uuid(), 'p' || n || '@example.org', 'Person ' || n, now()
    FROM generate_series(1, %(rows)s) n;
INSERT INTO memberships (id, organization_id, user_id, role)
    SELECT gen_random_uuid(), w.organization_id, u.id, 'member'
    FROM (SELECT id, row_number() OVER () AS n FROM users WHERE email LIKE 'p%%') u
    JOIN who w ON w.place = u.n %% 10 + 1;
INSERT INTO usage_records (id, created_at, organization_id, user_id, feature, provider, model,
    prompt, state, outcome, reserved_tokens, reserved_microdollars, input_tokens,
    cached_input_tokens, output_tokens, microdollars, estimated, price_known, expires_at)
    SELECT gen_random_uuid(), now() - n * interval '2 minutes', w.organization_id, %(person)s,
    'chat', 'p', 'm', '', 'settled', 'answered', 0, 0, 10, 0, 10, 5, false, true, now()
    FROM generate_series(1, %(rows)s) n JOIN who w ON w.place = n %% 10 + 1;
INSERT INTO feedback (id, created_at, organization_id, user_id, call_id, rating, comment,
    correction, updated_at)
    SELECT gen_random_uuid(), created_at, organization_id, gen_random_uuid(), id, 'up', '', '',
    created_at FROM usage_records;
ANALYZE;
"""
PAGES = (
    "/api/users",
    "/api/users?search=Person",
    "/api/audit",
    "/api/feedback",
    "/api/feedback?rating=down",
    "/api/usage/organization",
    "/api/keys",
    "/api/review",
    "/api/documents",
)
# A part of a name is looked for in all of the organisation's own rows; a tenth of a small table is
# read as fast without an index. There must be one: strangers' rows are no matter of theirs.
OF_OWN_ROWS = ("/api/users?search=Person",)


@contextmanager
def statements():
    """What is sent to the database."""
    found = []

    def remember(_, __, statement, parameters, ___, ____):
        found.append((statement, parameters))

    event.listen(engine().sync_engine, "before_cursor_execute", remember)
    try:
        yield found
    finally:
        event.remove(engine().sync_engine, "before_cursor_execute", remember)


def nodes(plan):
    yield plan
    for one in plan.get("Plans", ()):
        yield from nodes(one)


def whole_tables(app_url, organization_id, user_id, sent, *, own_rows):
    """Sequential scans of tables with many rows."""
    found = set()
    with psycopg.connect(app_url, autocommit=False) as db:
        db.execute(
            "SELECT set_config('app.organization_id', %s, true),"
            " set_config('app.user_id', %s, true)",
            (str(organization_id), str(user_id)),
        )
        if own_rows:
            db.execute("SET enable_seqscan = off")
        for statement, parameters in sent:
            if not re.match(r"\s*(SELECT|WITH)\b", statement) or "set_config" in statement:
                continue
            try:
                with db.transaction():
                    (told,) = db.execute(
                        "EXPLAIN (FORMAT JSON) " + statement, parameters
                    ).fetchone()
            except psycopg.errors.InsufficientPrivilege:
                continue  # as app_auth
            told = told if isinstance(told, list) else json.loads(told)
            for node in nodes(told[0]["Plan"]):
                whole = node["Node Type"] == "Seq Scan" or (
                    own_rows and "Index" in node["Node Type"] and "Index Cond" not in node
                )
                if whole and node.get("Relation Name") in {
                    "users",
                    "memberships",
                    "usage_records",
                    "feedback",
                }:
                    found.add((node["Relation Name"], " ".join(statement.split())[:400]))
    return found


async def test_no_list_reads_a_whole_table(client, database):
    organization = await make_organization()
    admin = await make_user(organization.id, role="admin")
    name = psycopg.conninfo.conninfo_to_dict(database.owner)["dbname"]
    with psycopg.connect(database.admin, dbname=name, autocommit=True) as superuser:
        for part in FILLED.split(";\n"):
            if part.strip():
                superuser.execute(
                    part, {"own": organization.id, "rows": ROWS, "person": admin.user_id}
                )
    await sign_in(client, admin, second_factor=True)
    scans = {}
    for page in PAGES:
        with statements() as sent:
            answer = await client.get(page)
        if answer.status_code == 404:
            continue  # of a module that this project left out
        assert (answer.status_code, bool(sent)) == (200, True), (page, answer.text)
        own_rows = page in OF_OWN_ROWS
        if found := whole_tables(
            database.app, organization.id, admin.user_id, sent, own_rows=own_rows
        ):
            scans[page] = found
    assert scans == {}
