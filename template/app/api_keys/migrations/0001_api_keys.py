"""API keys, and the one statement that opens a request made with one."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import give_function, open_to_auth, protect

revision = "api_keys_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# Like open_session: what the owner may do is what the owner may do now, and the organisation's
# policy binds keys that were made before it.
OPEN_API_KEY = """
CREATE FUNCTION open_api_key(given bytea) RETURNS TABLE (
    user_id uuid, organization_id uuid, key_id uuid, email varchar, display_name varchar,
    role varchar, second_factor boolean, created_at timestamptz, user_created_at timestamptz,
    second_factor_policy varchar, organization_name varchar, role_permissions varchar[],
    scopes varchar[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE opened record; moment timestamptz := clock_timestamp();
BEGIN
    SELECT k.id, k.user_id, k.organization_id, u.email, u.display_name, m.role,
           k.second_factor AND coalesce(
               k.factor = ANY (p.second_factors) OR k.factor = 'recovery_code', true
           ) AS second_factor,
           k.created_at, u.created_at AS user_created_at, k.last_used_at, k.scopes,
           p.second_factor AS second_factor_policy, o.name AS organization_name,
           CASE WHEN m.role_id IS NOT NULL THEN (
               SELECT r.permissions FROM roles r
                WHERE r.id = m.role_id AND r.organization_id = m.organization_id
           ) END AS role_permissions
      INTO opened
      FROM api_keys k
      JOIN users u ON u.id = k.user_id
      JOIN memberships m ON m.user_id = k.user_id AND m.organization_id = k.organization_id
      JOIN organizations o ON o.id = k.organization_id
      LEFT JOIN organization_policies p ON p.organization_id = k.organization_id
     WHERE (k.digest = given OR k.previous_digest = given AND k.previous_until > moment)
       AND k.revoked_at IS NULL AND k.expires_at > moment
       AND u.activated_at IS NOT NULL AND m.suspended_at IS NULL
       AND coalesce(lower(substring(u.email FROM '[^@]*$')) = ANY (p.mail_domains), true);
    IF NOT FOUND THEN RETURN; END IF;
    IF opened.last_used_at IS NULL OR opened.last_used_at < moment - interval '1 minute' THEN
        UPDATE api_keys k SET last_used_at = moment WHERE k.id = opened.id;
    END IF;
    RETURN QUERY SELECT opened.user_id, opened.organization_id, opened.id, opened.email,
        opened.display_name, opened.role, opened.second_factor, opened.created_at,
        opened.user_created_at, opened.second_factor_policy, opened.organization_name,
        opened.role_permissions, opened.scopes;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("ending", sa.String(4), nullable=False),
        sa.Column("previous_digest", sa.LargeBinary()),
        sa.Column("previous_until", MOMENT),
        sa.Column("scopes", sa.ARRAY(sa.String(60)), nullable=False),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("factor", sa.String(20)),
        sa.Column("renewed_at", MOMENT),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_api_keys_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name="fk_api_keys_membership",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_api_keys_organization_id_user_id", "api_keys", ["organization_id", "user_id"]
    )
    op.create_index("ix_api_keys_previous_digest", "api_keys", ["previous_digest"])
    protect("api_keys", grant_to_app="SELECT, INSERT, UPDATE")
    # Administrators see and revoke the keys of all; nobody makes one for somebody else.
    op.execute(
        "CREATE POLICY for_oneself ON api_keys AS RESTRICTIVE FOR INSERT TO app"
        " WITH CHECK (user_id = (SELECT current_person()))"
    )
    open_to_auth("api_keys")
    op.execute(OPEN_API_KEY)
    give_function("open_api_key(bytea)", to="app_auth", callers="app")


def downgrade() -> None:
    op.execute("DROP FUNCTION open_api_key(bytea)")
    op.drop_table("api_keys")
