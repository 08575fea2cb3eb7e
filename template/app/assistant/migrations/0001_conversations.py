"""Conversations and messages, shown to nobody but their owner."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.row_security import open_to_auth, protect

revision = "assistant_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)

# Reserves a conversation for one answer, stores the question, and tells what was said before.
# Nobody waits for the disk before the model is asked: who loses the question with the database's
# power has no answer yet, and conversation_answer stores a question that is not there.
ASK = """
CREATE FUNCTION conversation_ask(
    conversation uuid, organization uuid, person uuid, new_turn uuid, asked text, key text,
    seconds float8, most int
) RETURNS TABLE (
    what text, turn uuid, said text, how text, call uuid, details jsonb, strange boolean
) LANGUAGE plpgsql AS $$
DECLARE
    earlier record;
    recalled record;
BEGIN
    PERFORM set_config('app.organization_id', organization::text, true),
            set_config('app.user_id', person::text, true),
            set_config('synchronous_commit', 'off', true);
    UPDATE conversations c
    SET answering = new_turn, answering_until = clock_timestamp() + make_interval(secs => seconds)
    WHERE c.id = conversation
      AND (c.answering_until IS NULL OR c.answering_until <= clock_timestamp())
    RETURNING c.tainted, c.memory, c.memory_until INTO recalled;
    strange := recalled.tainted;
    IF NOT FOUND THEN
        PERFORM FROM conversations c WHERE c.id = conversation;
        what := CASE WHEN FOUND THEN 'answering' ELSE 'missing' END;
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT m.turn_id, m.text INTO earlier FROM messages m
    WHERE m.conversation_id = conversation AND m.idempotency_key = key;
    IF earlier.text <> asked THEN
        UPDATE conversations c SET answering = NULL, answering_until = NULL
        WHERE c.id = conversation;
        what := 'other question';
        RETURN NEXT;
        RETURN;
    END IF;
    what := 'turn';
    turn := coalesce(earlier.turn_id, new_turn);
    RETURN NEXT;
    IF earlier.turn_id IS NULL THEN
        INSERT INTO messages (
            id, organization_id, user_id, conversation_id, turn_id, role, text, state,
            idempotency_key, metadata
        ) VALUES (
            turn, organization, person, conversation, turn, 'user', asked, 'complete', key, '{}'
        );
    ELSE
        RETURN QUERY
        SELECT 'answer', m.turn_id, m.text::text, m.state::text, m.call_id, m.metadata, strange
        FROM messages m WHERE m.turn_id = turn AND m.role = 'assistant';
        UPDATE conversations c SET answering = NULL, answering_until = NULL
        WHERE c.id = conversation AND EXISTS (
            SELECT FROM messages m
            WHERE m.turn_id = turn AND m.role = 'assistant' AND m.state <> 'interrupted'
        );
    END IF;
    IF recalled.memory <> '' THEN
        RETURN QUERY
        SELECT 'memory', recalled.memory_until, recalled.memory::text, NULL::text, NULL::uuid,
               NULL::jsonb, strange;
    END IF;
    -- What is in the summary is not read again.
    RETURN QUERY
    SELECT m.role::text, m.turn_id, m.text::text, m.state::text, NULL::uuid, NULL::jsonb, strange
    FROM messages m WHERE m.conversation_id = conversation AND m.turn_id < turn
      AND (recalled.memory_until IS NULL OR m.turn_id > recalled.memory_until)
    ORDER BY m.turn_id DESC, m.role LIMIT most;
END
$$
"""
# Stores what became of the answer; none leaves the question open. A conversation gets its title
# with its first answer. Nothing happens when it was deleted meanwhile. Who was taken for dead frees
# nothing that another one holds by now, and writes over no answer that came to its end.
ANSWER = """
CREATE FUNCTION conversation_answer(
    conversation uuid, organization uuid, person uuid, turn uuid, holder uuid, asked text, key text,
    moment timestamptz, first_title text, strange boolean,
    answer uuid, said text, how text, call uuid, details jsonb
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE conversations c
    SET answering_until = CASE WHEN c.answering = holder THEN NULL ELSE c.answering_until END,
        answering = nullif(c.answering, holder), updated_at = moment,
        title = coalesce(nullif(c.title, ''), first_title), tainted = c.tainted OR strange
    WHERE c.id = conversation;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO messages (
        id, organization_id, user_id, conversation_id, turn_id, role, text, state,
        idempotency_key, metadata
    ) VALUES (
        turn, organization, person, conversation, turn, 'user', asked, 'complete', key, '{}'
    ) ON CONFLICT DO NOTHING;
    IF answer IS NOT NULL THEN
        INSERT INTO messages AS m (
            id, organization_id, user_id, conversation_id, turn_id, role, text, state, call_id,
            metadata
        ) VALUES (
            answer, organization, person, conversation, turn, 'assistant', said, how, call, details
        ) ON CONFLICT (turn_id, role) DO UPDATE
        SET text = excluded.text, state = excluded.state, call_id = excluded.call_id,
            metadata = excluded.metadata, created_at = excluded.created_at
        WHERE m.state = 'interrupted';
    END IF;
END
$$
"""


def _owned(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=f"fk_{table}_organization_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
        ),
    ]


def upgrade() -> None:
    op.create_table(
        "conversations",
        *_owned("conversations"),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("updated_at", MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("tainted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("memory", sa.String(), server_default="", nullable=False),
        sa.Column("memory_until", sa.Uuid()),
        sa.Column("answering", sa.Uuid()),
        sa.Column("answering_until", MOMENT),
    )
    op.create_index("ix_conversations_organization_id", "conversations", ["organization_id"])
    op.create_index(
        "ix_conversations_user_id_updated_at", "conversations", ["user_id", "updated_at"]
    )
    op.create_table(
        "messages",
        *_owned("messages"),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("turn_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("idempotency_key", sa.String(64)),
        sa.Column("call_id", sa.Uuid()),
        sa.Column("metadata", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_messages_conversation_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("turn_id", "role", name="uq_messages_turn_id_role"),
        sa.UniqueConstraint(
            "conversation_id",
            "idempotency_key",
            name="uq_messages_conversation_id_idempotency_key",
        ),
        sa.CheckConstraint("role IN ('user', 'event', 'assistant')", name="ck_messages_role"),
        sa.CheckConstraint(
            "state IN ('complete', 'interrupted', 'withheld')", name="ck_messages_state"
        ),
    )
    op.create_index("ix_messages_organization_id", "messages", ["organization_id"])
    op.create_index("ix_messages_user_id", "messages", ["user_id"])
    op.create_index(
        "ix_messages_conversation_id_turn_id", "messages", ["conversation_id", "turn_id"]
    )
    for table in ("conversations", "messages"):
        protect(table, owner_column="user_id")
    for function in (ASK, ANSWER):
        op.execute(function)
    for name in ("conversation_ask", "conversation_answer"):
        op.execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name} TO app")
    # The nightly job deletes what is too old, and a server says that it still answers; both see
    # nothing of what was said.
    seen = "id, organization_id, updated_at, answering"
    open_to_auth("conversations", f"SELECT ({seen}), UPDATE (answering_until), DELETE")


def downgrade() -> None:
    for name in ("conversation_ask", "conversation_answer"):
        op.execute(f"DROP FUNCTION {name}")
    op.drop_table("messages")
    op.drop_table("conversations")
