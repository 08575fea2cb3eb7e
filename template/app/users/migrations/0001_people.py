"""People and the organisation they belong to."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import open_to_auth, protect

revision = "users_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# Of a person's organisations one that lets in by this way, the last one used first. As app_auth.
ENTRANCE = """
CREATE FUNCTION find_entrance(person uuid, way text, wanted uuid)
RETURNS TABLE (organization_id uuid, suspended boolean, allowed boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT m.organization_id, m.suspended_at IS NOT NULL, a.allowed
      FROM memberships m
      JOIN users u ON u.id = m.user_id
      LEFT JOIN organization_policies p ON p.organization_id = m.organization_id
      CROSS JOIN LATERAL (SELECT coalesce(way = ANY (p.sign_in_methods), true) AND coalesce(
          lower(substring(u.email FROM '[^@]*$')) = ANY (p.mail_domains), true
      )) a (allowed)
     WHERE m.user_id = person AND (wanted IS NULL OR m.organization_id = wanted)
     ORDER BY m.suspended_at IS NOT NULL, NOT a.allowed, (
           SELECT max(s.created_at) FROM sessions s
           WHERE s.user_id = person AND s.organization_id = m.organization_id
             AND s.impersonator_session_id IS NULL
       ) DESC NULLS LAST, m.created_at
     LIMIT 1;
END
$$
"""


def _row() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "users",
        *_row(),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("display_name", sa.String(120), nullable=False),
        sa.Column("activated_at", MOMENT),
        sa.Column("signed_in_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_index("uq_users_email", "users", [sa.text("lower(email)")], unique=True)
    op.create_table(
        "organizations",
        *_row(),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("slug", sa.String(60), nullable=False),
        sa.Column("owner_id", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_organizations_owner_id", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("slug", name="uq_organizations_slug"),
    )
    op.create_table(
        "organization_policies",
        *_row(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("second_factor", sa.String(10), nullable=False),
        sa.Column("sign_in_methods", sa.ARRAY(sa.Text())),
        sa.Column("second_factors", sa.ARRAY(sa.Text())),
        sa.Column("idle_minutes", sa.Integer()),
        sa.Column("absolute_hours", sa.Integer()),
        sa.Column("mail_domains", sa.ARRAY(sa.Text())),
        sa.Column("impersonation", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization_policies"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_organization_policies_organization_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("organization_id", name="uq_organization_policies_organization_id"),
        sa.CheckConstraint(
            "second_factor IN ('optional', 'admins', 'everyone')",
            name="ck_organization_policies_second_factor",
        ),
    )
    op.create_table(
        "roles",
        *_row(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("permissions", sa.ARRAY(sa.String(60)), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_roles_organization_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("organization_id", "id", name="uq_roles_organization_id_id"),
    )
    op.create_index(
        "uq_roles_name", "roles", ["organization_id", sa.text("lower(name)")], unique=True
    )
    op.create_table(
        "memberships",
        *_row(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(36), nullable=False),
        # The database keeps a custom role from leaving while someone has it.
        sa.Column(
            "role_id",
            sa.Uuid(),
            sa.Computed("CASE WHEN role ~ '^[0-9a-f]{8}-' THEN role::uuid END", persisted=True),
        ),
        sa.Column("suspended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_memberships"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_memberships_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_memberships_user_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "organization_id", "user_id", name="uq_memberships_organization_id_user_id"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "role_id"],
            ["roles.organization_id", "roles.id"],
            name="fk_memberships_role_id",
        ),
        sa.CheckConstraint(
            "role IN ('member', 'reviewer', 'admin') OR role_id IS NOT NULL",
            name="ck_memberships_role",
        ),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    op.create_table(
        "invitations",
        *_row(),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("role", sa.String(36), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("invited_by", sa.Uuid()),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("accepted_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_invitations_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name="fk_invitations_invited_by", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("token_digest", name="uq_invitations_token_digest"),
    )
    op.create_index("ix_invitations_organization_id", "invitations", ["organization_id"])

    protect("roles")
    open_to_auth("roles", "SELECT")
    protect("memberships", grant_to_app="SELECT, UPDATE, DELETE")
    open_to_auth("memberships")
    protect("organization_policies", grant_to_app="SELECT, INSERT, UPDATE")
    open_to_auth("organization_policies", "SELECT")
    protect("invitations")
    open_to_auth("invitations")
    _protect_organizations()
    _protect_users()
    op.execute(ENTRANCE)
    op.execute("REVOKE EXECUTE ON FUNCTION find_entrance FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION find_entrance TO app_auth")


def _protect_organizations() -> None:
    op.execute("ALTER TABLE organizations ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE organizations FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY organization ON organizations USING (id = (SELECT current_organization()))"
    )
    op.execute("GRANT SELECT, UPDATE (name) ON organizations TO app")
    open_to_auth("organizations")


def _protect_users() -> None:
    """The app sees the people of the organisation, and changes nobody but the one who asks."""
    op.execute("ALTER TABLE users ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE users FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY colleagues ON users FOR SELECT USING (id = (SELECT current_person())"
        " OR EXISTS (SELECT FROM memberships m WHERE m.user_id = users.id"
        " AND m.organization_id = (SELECT current_organization())))"
    )
    op.execute(
        "CREATE POLICY oneself ON users FOR UPDATE"
        " USING (id = (SELECT current_person())) WITH CHECK (id = (SELECT current_person()))"
    )
    op.execute("GRANT SELECT, UPDATE (display_name) ON users TO app")
    open_to_auth("users")


def downgrade() -> None:
    op.execute("DROP FUNCTION find_entrance")
    tables = (
        "invitations",
        "memberships",
        "roles",
        "organization_policies",
        "organizations",
        "users",
    )
    for table in tables:
        op.drop_table(table)
