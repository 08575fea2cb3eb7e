"""What the database grants to the app's role, read from its catalogue and tried."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.core import db
from tests.factories import make_organization, make_user

# They hold nothing of any person or organisation: digests, names of revisions, ids in jobs, which
# providers are ill, and what belongs to the installation: prompts, their evaluations and flags,
# which the app may only read.
WITHOUT_OWNER = (
    "alembic_version_%",
    "procrastinate_%",
    "rate_limits",
    "lockouts",
    "forgotten_devices",
    "abuse_counters",
    "llm_rests",
    "prompt%",
    "eval%",
    "monitoring_calibrations",
    "feature_flags",
    "clocks",
    "cache_emptyings",
)


async def rows(query, **values):
    async with db.transaction() as session:
        return (await session.execute(text(query), values)).all()


@pytest.mark.asvs("8.4.1")
async def test_row_security_is_on_and_forced_for_every_table():
    open_tables = await rows(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace = 'public'::regnamespace"
        " AND NOT (relrowsecurity AND relforcerowsecurity) AND NOT relname LIKE ANY (:known)",
        known=list(WITHOUT_OWNER),
    )
    assert open_tables == []


async def test_no_policy_that_binds_the_app_lets_everything_through():
    found = await rows(
        "SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies"
        " WHERE schemaname = 'public' AND roles && ARRAY['app', 'public']::name[]"
    )
    assert found
    for table, policy, command, shown, written in found:
        assert shown != "true", (table, policy)
        assert written != "true", (table, policy)
        assert shown or command == "INSERT", (table, policy)
        assert "current_" in (shown or written), (table, policy)


async def test_functions_that_work_as_another_role_are_closed():
    found = await rows(
        "SELECT p.oid::regprocedure::text, pg_get_userbyid(proowner), proconfig,"
        " has_function_privilege('public', p.oid, 'EXECUTE') AS anyone"
        " FROM pg_proc p WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    )
    assert len(found) >= 2
    for name, owner, settings, anyone in found:
        assert owner in {"app_auth", "app_audit"}, name
        assert not anyone, name
        [path] = [one for one in settings or [] if one.startswith("search_path=")]
        assert path.startswith("search_path=pg_catalog"), name
        # Where it is not named, temporary tables come first.
        assert path.endswith("pg_temp"), name


async def test_the_app_makes_nothing_in_the_database():
    [found] = await rows(
        "SELECT has_schema_privilege('app', 'public', 'CREATE'),"
        " has_database_privilege('app', current_database(), 'TEMPORARY'),"
        " has_database_privilege('app', current_database(), 'CREATE'),"
        " has_schema_privilege('app_auth', 'public', 'CREATE')"
    )
    assert tuple(found) == (False,) * 4


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET email = 'eve@example.com' WHERE id = :u",
        "UPDATE users SET activated_at = now() WHERE id = :u",
        "DELETE FROM users WHERE id = :u",
        "INSERT INTO users (id, email, display_name) VALUES (gen_random_uuid(), 'a@b.c', 'x')",
        """INSERT INTO memberships (id, organization_id, user_id, role)
        VALUES (gen_random_uuid(), :o, :u, 'admin')""",
        "UPDATE memberships SET organization_id = :other WHERE user_id = :u",
        "UPDATE organizations SET slug = 'taken' WHERE id = :o",
        """INSERT INTO invitations (id, organization_id, email, role, token_digest, expires_at)
        VALUES (gen_random_uuid(), :other, 'a@b.c', 'admin', '', now())""",
    ],
)
async def test_the_app_may_not(statement):
    ada, other = await make_user(), await make_organization()
    values = {"u": ada.user_id, "o": ada.organization_id, "other": other.id}
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    with pytest.raises(ProgrammingError, match=r"permission denied|row-level security"):
        async with db.transaction(
            organization_id=ada.organization_id, user_id=ada.user_id
        ) as session:
            await session.execute(text(statement), used)


@pytest.mark.asvs("8.2.3")
async def test_the_app_changes_the_name_of_nobody_but_the_one_who_asks():
    ada = await make_user(display_name="Ada")
    colleague = await make_user(ada.organization_id, display_name="Grace")
    async with db.transaction(organization_id=ada.organization_id, user_id=ada.user_id) as session:
        await session.execute(text("UPDATE users SET display_name = 'renamed'"))
    async with db.transaction(elevated=True) as session:
        rows = await session.execute(
            text("SELECT id, display_name FROM users WHERE id IN (:a, :b)"),
            {"a": ada.user_id, "b": colleague.user_id},
        )
        names = dict(rows.all())
    assert names == {ada.user_id: "renamed", colleague.user_id: "Grace"}
