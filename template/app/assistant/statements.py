"""What a turn asks of the database. Row security limits each statement to the person's own rows."""

from typing import LiteralString

# Reserves the conversation for one answer.
TAKE: LiteralString = """
    UPDATE conversations SET answering_until = %(until)s
    WHERE id = %(conversation_id)s
      AND (answering_until IS NULL OR answering_until <= %(moment)s)
    RETURNING tainted
"""
IS_THERE: LiteralString = "SELECT FROM conversations WHERE id = %(conversation_id)s"
# The question with this key, and its answer, as far as they are there.
ASKED_BEFORE: LiteralString = """
    SELECT role, turn_id, text, state, call_id, metadata FROM messages
    WHERE turn_id = (
        SELECT turn_id FROM messages
        WHERE conversation_id = %(conversation_id)s AND idempotency_key = %(key)s
    )
"""
HISTORY: LiteralString = """
    SELECT turn_id, role, text, state FROM messages
    WHERE conversation_id = %(conversation_id)s
    ORDER BY turn_id DESC, role LIMIT %(limit)s
"""
QUESTION: LiteralString = """
    INSERT INTO messages (
        id, organization_id, user_id, conversation_id, turn_id, role, text, state,
        idempotency_key, metadata
    ) VALUES (
        %(id)s, %(organization_id)s, %(user_id)s, %(conversation_id)s, %(turn_id)s, 'user',
        %(text)s, 'complete', %(key)s, '{}'
    )
"""
# Nothing, when the conversation was deleted meanwhile.
ANSWER: LiteralString = """
    INSERT INTO messages (
        id, organization_id, user_id, conversation_id, turn_id, role, text, state, call_id, metadata
    )
    SELECT %(id)s, %(organization_id)s, %(user_id)s, id, %(turn_id)s, 'assistant',
           %(text)s, %(state)s, CAST(%(call_id)s AS uuid), %(details)s
    FROM conversations WHERE id = %(conversation_id)s
    ON CONFLICT (turn_id, role) DO UPDATE
    SET text = excluded.text, state = excluded.state, call_id = excluded.call_id,
        metadata = excluded.metadata, created_at = excluded.created_at
"""
RELEASE: LiteralString = (
    "UPDATE conversations SET answering_until = NULL WHERE id = %(conversation_id)s"
)
# A conversation gets its title with its first answer.
SAID: LiteralString = """
    UPDATE conversations
    SET answering_until = NULL, updated_at = %(moment)s,
        title = coalesce(nullif(title, ''), %(title)s), tainted = tainted OR %(tainted)s
    WHERE id = %(conversation_id)s
"""
FORGET: LiteralString = "DELETE FROM messages WHERE turn_id = %(turn_id)s"
