"""Whether a session would still open, asked while an answer is written for who came by it."""

from alembic import op

from app.core.row_security import give_function

revision = "access_0002"
down_revision = "access_0001"

# What the session has rotated into counts, in whichever organisation: its person is still there.
REOPEN_SESSION = """
CREATE FUNCTION reopen_session(given uuid) RETURNS TABLE (
    role varchar, role_permissions varchar[], by_role varchar, by_role_permissions varchar[]
)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE line AS (
        SELECT s.token_digest, s.rotated_into FROM sessions s WHERE s.id = given
        UNION ALL
        SELECT s.token_digest, s.rotated_into FROM line JOIN sessions s ON s.id = line.rotated_into
    )
    SELECT a.role, a.role_permissions, a.by_role, a.by_role_permissions
      FROM line CROSS JOIN LATERAL open_session(line.token_digest) a
     WHERE line.rotated_into IS NULL
$$
"""


def upgrade() -> None:
    op.execute(REOPEN_SESSION)
    give_function("reopen_session(uuid)", to="app_auth", callers="app")


def downgrade() -> None:
    op.execute("DROP FUNCTION reopen_session(uuid)")
