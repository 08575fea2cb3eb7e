"""Sessions by tokens."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import give_function, protect_auth

revision = "tokens_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# For open_session, which then decides as for any session.
FIND_DIGEST = """
CREATE FUNCTION digest_of_token_session(given uuid) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT s.token_digest FROM sessions s JOIN token_sessions t ON t.session_id = s.id
     WHERE s.id = given
$$
"""


def upgrade() -> None:
    op.create_table(
        "token_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("rotated_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_token_sessions"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.id"],
            name="fk_token_sessions_session_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("session_id", name="uq_token_sessions_session_id"),
    )
    protect_auth("token_sessions")
    op.execute(FIND_DIGEST)
    give_function("digest_of_token_session(uuid)", to="app_auth", callers="app")


def downgrade() -> None:
    op.execute("DROP FUNCTION digest_of_token_session(uuid)")
    op.drop_table("token_sessions")
