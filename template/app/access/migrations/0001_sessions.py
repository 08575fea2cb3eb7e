"""Sessions, and the one statement that opens a request."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import give_function, protect_auth

revision = "access_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# Looks a session up before any organisation is known, so it works as app_auth, and names the
# person and the organisation to the rest of the caller's transaction. What the organisation asks
# of sessions counts here, so that a policy holds for those that began before it.
OPEN_SESSION = """
CREATE FUNCTION open_session(given bytea) RETURNS TABLE (
    user_id uuid, organization_id uuid, session_id uuid, email varchar, display_name varchar,
    role varchar, level varchar, second_factor boolean, authenticated_at timestamptz,
    user_created_at timestamptz, second_factor_policy varchar,
    organization_name varchar, role_permissions varchar[],
    by_user_id uuid, by_session_id uuid, by_name varchar, by_role varchar,
    by_role_permissions varchar[], ends_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE opened record; proved boolean; moment timestamptz := clock_timestamp();
BEGIN
    SELECT s.id, s.user_id, s.organization_id, u.email, u.display_name, m.role, s.level,
           s.impersonator_session_id, s.expires_at, s.authenticated_at, s.last_seen_at,
           u.created_at AS user_created_at,
           p.second_factor AS second_factor_policy, o.name AS organization_name,
           CASE WHEN m.role_id IS NOT NULL THEN (
               SELECT r.permissions FROM roles r
                WHERE r.id = m.role_id AND r.organization_id = m.organization_id
           ) END AS role_permissions,
           s.second_factor AND coalesce(
               s.factor = ANY (p.second_factors) OR s.factor = 'recovery_code', true
           ) AS second_factor
      INTO opened
      FROM sessions s
      JOIN users u ON u.id = s.user_id
      JOIN memberships m ON m.user_id = s.user_id AND m.organization_id = s.organization_id
      JOIN organizations o ON o.id = s.organization_id
      LEFT JOIN organization_policies p ON p.organization_id = s.organization_id
     WHERE s.token_digest = given AND s.revoked_at IS NULL
       AND s.expires_at > moment AND s.last_seen_at + s.idle_seconds * interval '1 s' > moment
       AND u.activated_at IS NOT NULL AND m.suspended_at IS NULL
       AND coalesce(s.method = ANY (p.sign_in_methods), true)
       AND coalesce(s.last_seen_at + p.idle_minutes * interval '1 min' > moment, true)
       AND coalesce(s.authenticated_at + p.absolute_hours * interval '1 h' > moment, true)
       AND coalesce(lower(substring(u.email FROM '[^@]*$')) = ANY (p.mail_domains), true)
       AND (s.impersonator_session_id IS NULL OR coalesce(p.impersonation, true));
    IF NOT FOUND THEN RETURN; END IF;
    proved := opened.second_factor;
    IF opened.impersonator_session_id IS NOT NULL THEN
        -- An administrator looks on: as long as the own session would open, with all that is
        -- asked of it. Their second factor counts, for it is they who sit there.
        SELECT a.user_id, a.session_id, a.display_name, a.role, a.role_permissions, a.second_factor
          INTO by_user_id, by_session_id, by_name, by_role, by_role_permissions, proved
          FROM sessions s CROSS JOIN LATERAL open_session(s.token_digest) a
         WHERE s.id = opened.impersonator_session_id AND s.impersonator_session_id IS NULL
           AND a.level = 'full' AND a.organization_id = opened.organization_id;
        IF NOT FOUND THEN RETURN; END IF;
        ends_at := opened.expires_at;
    END IF;
    IF opened.last_seen_at < moment - interval '1 minute' THEN
        UPDATE sessions s SET last_seen_at = moment WHERE s.id = opened.id;
    END IF;
    PERFORM set_config('app.organization_id', opened.organization_id::text, true),
            set_config('app.user_id', opened.user_id::text, true);
    RETURN QUERY SELECT opened.user_id, opened.organization_id, opened.id, opened.email,
        opened.display_name, opened.role, opened.level, proved,
        opened.authenticated_at, opened.user_created_at, opened.second_factor_policy,
        opened.organization_name, opened.role_permissions,
        by_user_id, by_session_id, by_name, by_role, by_role_permissions, ends_at;
END $$
"""

# Ends the session that the browser held before, and begins one. As app_auth.
START_SESSION = """
CREATE FUNCTION start_session(
    session_id uuid, token bytea, replaced bytea, person uuid, organization uuid, level varchar,
    method varchar, second_factor boolean, factor varchar, moment timestamptz, idle int,
    lasting int, address varchar, user_agent varchar, device varchar
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF replaced IS NOT NULL THEN
        UPDATE sessions s SET revoked_at = moment
        WHERE s.token_digest = replaced AND s.revoked_at IS NULL;
    END IF;
    INSERT INTO sessions (
        id, token_digest, user_id, organization_id, level, method, second_factor, factor,
        authenticated_at, last_seen_at, idle_seconds, expires_at, address, user_agent, device
    ) VALUES (
        session_id, token, person, organization, level, method, second_factor, factor,
        moment, moment, idle, moment + make_interval(secs => lasting), address, user_agent, device
    );
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.String(10), nullable=False),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("factor", sa.String(20)),
        sa.Column("authenticated_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.Column("user_agent", sa.String(200), nullable=False),
        sa.Column("device", sa.String(32)),
        sa.Column("revoked_at", MOMENT),
        sa.Column("impersonator_session_id", sa.Uuid()),
        sa.Column("rotated_into", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("token_digest", name="uq_sessions_token_digest"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_sessions_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["impersonator_session_id"],
            ["sessions.id"],
            name="fk_sessions_impersonator_session_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index(
        "ix_sessions_impersonator_session_id",
        "sessions",
        ["impersonator_session_id"],
        postgresql_where=sa.text("impersonator_session_id IS NOT NULL"),
    )
    protect_auth("sessions")
    op.execute(START_SESSION)
    op.execute("REVOKE EXECUTE ON FUNCTION start_session FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION start_session TO app_auth")
    op.execute(OPEN_SESSION)
    give_function("open_session(bytea)", to="app_auth", callers="app")


def downgrade() -> None:
    op.execute("DROP FUNCTION open_session(bytea)")
    op.execute("DROP FUNCTION start_session")
    op.drop_table("sessions")
