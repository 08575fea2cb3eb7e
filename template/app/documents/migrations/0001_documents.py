"""Documents, their passages, and which index of them is searched."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from app.core.row_security import ALL, APP, AUTH, open_to_auth, protect, protect_auth
from app.core.vectors import Vector

revision = "documents_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# The role in which someone works; nobody's when they are suspended or gone.
ROLE = """
CREATE FUNCTION current_member_role() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT m.role FROM public.memberships m
    WHERE m.user_id = public.current_person() AND m.suspended_at IS NULL
      AND m.organization_id = public.current_organization()
)
"""
SEEN = (
    "organization_id = (SELECT current_organization()) AND ("
    " owner_id = (SELECT current_person())"
    " OR audience = 'organization'"
    " OR (audience = 'roles' AND (SELECT current_member_role()) = ANY (roles)))"
)
# The documents that can be seen there are those that row security shows.
SEEN_WITH_DOCUMENT = (
    "organization_id = (SELECT current_organization())"
    " AND EXISTS (SELECT FROM documents d WHERE d.id = document_id)"
)
# Nobody makes a document of someone else's, or takes one away from everybody but another person.
WRITTEN = (
    "organization_id = (SELECT current_organization())"
    " AND (owner_id = (SELECT current_person()) OR audience <> 'person')"
)
# However a row goes, with its organisation or person too, its file is remembered to be deleted.
REMEMBER = """
CREATE FUNCTION remember_removed_file() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO removed_files (id, name) VALUES (gen_random_uuid(), old.file_name)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$
"""

# Most questions are asked where there is no document: finding that out is one short statement.
LIVE_INDEX = """
CREATE FUNCTION live_document_index(organization uuid, OUT number int, OUT made_by text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.organization_id', organization::text, true);
    SELECT i.live, i.live_kind INTO number, made_by FROM document_indexes i
    WHERE i.organization_id = organization;
END
$$
"""


def _row() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
    ]


def _of(table: str) -> list[sa.Column[object] | sa.ForeignKeyConstraint]:
    return [
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=f"fk_{table}_organization_id",
            ondelete="CASCADE",
        ),
    ]


def upgrade() -> None:
    op.create_table(
        "documents",
        *_row(),
        *_of("documents"),
        sa.Column("owner_id", sa.Uuid()),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary()),
        sa.Column("file_name", sa.String(65), nullable=False),
        sa.Column("audience", sa.String(12), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(40)),
        sa.Column("reading", JSONB(), nullable=False),
        sa.Column("replaces_id", sa.Uuid()),
        sa.Column("accepts_changes", sa.Boolean(), nullable=False),
        sa.Column("ready_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_documents_owner_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["documents.id"], name="fk_documents_replaces_id", ondelete="SET NULL"
        ),
        sa.UniqueConstraint("file_name", name="uq_documents_file_name"),
        sa.CheckConstraint(
            "audience IN ('person', 'roles', 'organization')", name="ck_documents_audience"
        ),
        sa.CheckConstraint(
            "state IN ('uploading', 'waiting', 'ready', 'refused', 'failed')",
            name="ck_documents_state",
        ),
    )
    op.create_index("ix_documents_organization_id", "documents", ["organization_id", "created_at"])
    op.create_index(
        "ix_documents_organization_id_sha256", "documents", ["organization_id", "sha256"]
    )
    op.create_index("ix_documents_owner_id", "documents", ["owner_id"])
    op.create_index("ix_documents_replaces_id", "documents", ["replaces_id"])
    op.create_table(
        "document_keys",
        *_row(),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_document_keys"),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name="fk_document_keys_document_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("document_id", name="uq_document_keys_document_id"),
    )
    op.create_table(
        "passages",
        *_row(),
        *_of("passages"),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer()),
        sa.Column("heading", sa.String(620), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("embedding", Vector(1024)),
        sa.Column(
            "words",
            TSVECTOR(),
            sa.Computed("to_tsvector('simple', heading || ' ' || text)", persisted=True),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_passages"),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.id"], name="fk_passages_document_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "document_id", "version", "place", name="uq_passages_document_id_version_place"
        ),
    )
    # Inside the row: beside it, vectors take three times as long to compare.
    op.execute("ALTER TABLE passages ALTER COLUMN embedding SET STORAGE PLAIN")
    op.create_index("ix_passages_organization_id", "passages", ["organization_id"])
    op.create_index("ix_passages_words", "passages", ["words"], postgresql_using="gin")
    op.create_index(
        "ix_passages_embedding",
        "passages",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "halfvec_cosine_ops"},
    )
    op.create_table(
        "document_indexes",
        *_row(),
        *_of("document_indexes"),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("live_kind", sa.String(240), nullable=False),
        sa.Column("building", sa.Integer()),
        sa.Column("building_kind", sa.String(240)),
        sa.Column("built_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_document_indexes"),
        sa.UniqueConstraint("organization_id", name="uq_document_indexes_organization_id"),
    )
    op.create_table(
        "removed_files",
        *_row(),
        sa.Column("name", sa.String(65), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_removed_files"),
        sa.UniqueConstraint("name", name="uq_removed_files_name"),
    )
    _protect()


def _protect() -> None:
    op.execute(ROLE)
    op.execute(LIVE_INDEX)
    op.execute("REVOKE ALL ON FUNCTION live_document_index FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION live_document_index TO app")
    for table, shown, written, rights in (
        ("documents", SEEN, WRITTEN, ALL),
        (
            "passages",
            SEEN_WITH_DOCUMENT,
            "organization_id = (SELECT current_organization())",
            "SELECT",
        ),
    ):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY readers ON {table} USING ({shown}) WITH CHECK ({written})")
        op.execute(f"GRANT {rights} ON {table} TO {APP}")
        open_to_auth(table)
    protect("document_indexes", grant_to_app="SELECT")
    open_to_auth("document_indexes")
    protect_auth("removed_files")
    protect_auth("document_keys")
    op.execute(REMEMBER)
    op.execute(f"GRANT CREATE ON SCHEMA public TO {AUTH}")
    op.execute(f"ALTER FUNCTION remember_removed_file() OWNER TO {AUTH}")
    op.execute(f"REVOKE CREATE ON SCHEMA public FROM {AUTH}")
    op.execute("REVOKE ALL ON FUNCTION remember_removed_file() FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER remember_removed_file AFTER DELETE ON documents"
        " FOR EACH ROW EXECUTE FUNCTION remember_removed_file()"
    )


def downgrade() -> None:
    for table in (
        "removed_files",
        "document_indexes",
        "passages",
        "document_keys",
        "documents",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION live_document_index(uuid)")
    op.execute("DROP FUNCTION remember_removed_file()")
    op.execute("DROP FUNCTION current_member_role()")
