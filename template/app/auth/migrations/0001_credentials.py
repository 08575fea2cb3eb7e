"""Passwords, second factors and mailed links: only app_auth sees them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from app.core.row_security import protect_auth

revision = "auth_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# The first half of a sign-in, in one round trip: takes what the client's address owes for asking at
# all, then one of the rate of sign-ins by address, looks whether the browser's device was
# forgotten, begins an attempt at the login, there or with all strangers, and looks the account up;
# who is refused goes no further. The same is asked for nobody, or the time would tell who has an
# account. `strange` is a browser at a place that the person did not sign in from for a day.
BEGIN = """
CREATE FUNCTION sign_in_begin(
    limit_id uuid, spacing float8, depth int,
    login text, lockout uuid, free int, longest int, address text, user_agent text,
    address_id uuid, address_spacing float8, address_depth int, address_wanted int,
    strangers uuid, devices uuid, born timestamptz
) RETURNS TABLE (
    limited float8, address_granted int, address_wait float8,
    forgotten boolean, wait float8, user_id uuid, email varchar, display_name varchar, hash varchar,
    second_factors varchar[], organization_id uuid, suspended boolean, allowed boolean,
    first boolean, strange boolean
) LANGUAGE plpgsql AS $$
DECLARE nobody CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    IF address_wanted > 0 THEN
        SELECT t.granted, t.retry_after INTO address_granted, address_wait
          FROM take_from_limit(address_id, address_spacing, address_depth, 1, address_wanted) t;
    END IF;
    IF address_granted IS DISTINCT FROM 0 THEN
        SELECT t.retry_after INTO limited FROM take_from_limit(limit_id, spacing, depth, 1, 1) t;
    END IF;
    IF limited = 0 THEN
        IF devices IS NOT NULL THEN
            forgotten := EXISTS (
                SELECT FROM forgotten_devices f WHERE f.id = devices AND f.at >= born
            );
            IF forgotten THEN lockout := strangers; END IF;
        END IF;
        wait := lockout_begin(lockout, free, longest);
    END IF;
    IF wait = 0 THEN
        PERFORM set_config('role', 'app_auth', true);
        SELECT u.id, u.email, u.display_name, p.hash, u.signed_in_at IS NULL, array(
                   SELECT f.kind FROM second_factors f WHERE f.user_id = u.id ORDER BY f.kind
               )
          INTO user_id, email, display_name, hash, first, second_factors
          FROM users u JOIN passwords p ON p.user_id = u.id
         WHERE lower(u.email) = login AND u.activated_at IS NOT NULL;
        SELECT e.organization_id, e.suspended, e.allowed INTO organization_id, suspended, allowed
          FROM find_entrance(coalesce(user_id, nobody), 'password', NULL) e;
        strange := is_strange(coalesce(user_id, nobody), address, user_agent);
    END IF;
    RETURN NEXT;
END
$$
"""
STRANGE = """
CREATE FUNCTION is_strange(person uuid, place text, browser text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM sessions s WHERE s.user_id = person AND s.level = 'full'
        AND s.impersonator_session_id IS NULL
        AND s.address = place AND s.user_agent = browser AND s.created_at > now() - interval '1 day'
    );
END
$$
"""
# The second half: all that follows from the right password, in one transaction. False when the
# password was changed or a second factor set up meanwhile. What locks the chain of the audit log
# comes last.
FINISH = """
CREATE FUNCTION sign_in_finish(
    lockout uuid, verified varchar, newer varchar, first boolean,
    session_id uuid, token bytea, replaced bytea, person uuid, organization uuid, level varchar,
    method varchar, second_factor boolean, factor varchar, moment timestamptz, idle int,
    lasting int, address varchar, user_agent varchar, device varchar,
    event_id uuid, action text, detail jsonb, request text, network text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('role', 'app_auth', true);
    PERFORM FROM passwords p WHERE p.user_id = person AND p.hash = verified FOR SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    -- Setting one up locks the password's row: beside it nobody comes in by the password alone.
    IF level = 'full' AND EXISTS (SELECT FROM second_factors f WHERE f.user_id = person) THEN
        RETURN false;
    END IF;
    PERFORM lockout_clear(lockout);
    IF newer IS NOT NULL THEN
        UPDATE passwords p SET hash = newer WHERE p.user_id = person;
    END IF;
    IF first AND level = 'full' THEN
        UPDATE users u SET signed_in_at = moment WHERE u.id = person;
    END IF;
    PERFORM start_session(
        session_id, token, replaced, person, organization, level, method, second_factor, factor,
        moment, idle, lasting, address, user_agent, device
    );
    PERFORM audit_append(
        event_id, organization, person, NULL, action, session_id::text, detail, request, network
    );
    RETURN true;
END
$$
"""
FUNCTIONS = "sign_in_begin, sign_in_finish, is_strange"


def _table(name: str, *columns: sa.Column[object], unique: Sequence[str] = ()) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=f"fk_{name}_user_id", ondelete="CASCADE"
        ),
    )
    if unique:
        op.create_unique_constraint(f"uq_{name}_{'_'.join(unique)}", name, [*unique])
    else:
        op.create_index(f"ix_{name}_user_id", name, ["user_id"])
    protect_auth(name)


def upgrade() -> None:
    _table("passwords", sa.Column("hash", sa.String(255), nullable=False), unique=["user_id"])
    _table(
        "second_factors",
        sa.Column("kind", sa.String(20), nullable=False),
        unique=["user_id", "kind"],
    )
    _table(
        "totp_devices",
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("last_step", sa.BigInteger()),
        unique=["user_id"],
    )
    _table(
        "recovery_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", MOMENT),
    )
    _table(
        "one_time_links",
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("display_name", sa.String(120)),
        sa.Column("email", sa.String(254)),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
    )
    op.create_unique_constraint(
        "uq_one_time_links_token_digest", "one_time_links", ["token_digest"]
    )
    # They work as whoever calls them, and become app_auth by themselves as the app does.
    for function in (STRANGE, BEGIN, FINISH):
        op.execute(function)
    op.execute(f"REVOKE EXECUTE ON FUNCTION {FUNCTIONS} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {FUNCTIONS} TO app, app_auth")


def downgrade() -> None:
    op.execute(f"DROP FUNCTION {FUNCTIONS}")
    for table in (
        "one_time_links",
        "recovery_codes",
        "totp_devices",
        "second_factors",
        "passwords",
    ):
        op.drop_table(table)
