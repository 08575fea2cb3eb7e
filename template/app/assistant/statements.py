"""What a turn asks of the database; the functions are in the first migration.

Row security limits each statement to the person's own rows.
"""

from typing import LiteralString

from sqlalchemy import text

ASK: LiteralString = (
    "SELECT * FROM conversation_ask(%(conversation_id)s, %(organization_id)s, %(user_id)s,"
    " %(turn_id)s, %(question)s, %(key)s, %(seconds)s, %(most)s)"
)
ANSWER: LiteralString = (
    "SELECT conversation_answer(%(conversation_id)s, %(organization_id)s, %(user_id)s, %(turn_id)s,"
    " %(holder)s, %(question)s, %(key)s, %(moment)s, %(title)s, %(tainted)s, %(id)s, %(text)s,"
    " %(state)s, %(call_id)s, %(details)s)"
)
RELEASE: LiteralString = (
    "UPDATE conversations SET answering = NULL, answering_until = NULL"
    " WHERE id = %(conversation_id)s AND answering = %(holder)s"
)
# Whose row is locked frees it just now, or asks for the next moment.
HOLD_ON = text(
    "UPDATE conversations SET answering_until = clock_timestamp() + make_interval(secs => :seconds)"
    " WHERE id IN (SELECT id FROM conversations WHERE id = ANY (:conversations)"
    " AND answering = ANY (:holders) FOR UPDATE SKIP LOCKED)"
)
FORGET: LiteralString = "DELETE FROM messages WHERE turn_id = %(turn_id)s"
# An answer that nobody asked for in this moment. What is there already is never written over.
WENT_ON: LiteralString = (
    "WITH ended AS (UPDATE messages SET metadata = metadata || '{\"went_on\": true}'"
    " WHERE id = %(turn_id)s AND role = 'event' RETURNING conversation_id),"
    " free AS (UPDATE conversations c SET updated_at = %(moment)s, answering_until ="
    " CASE WHEN c.answering = %(holder)s THEN NULL ELSE c.answering_until END,"
    " answering = nullif(c.answering, %(holder)s), tainted = c.tainted OR %(tainted)s"
    " FROM ended WHERE c.id = ended.conversation_id RETURNING c.id)"
    " INSERT INTO messages (id, organization_id, user_id, conversation_id, turn_id, role, text,"
    " state, call_id, metadata) SELECT %(id)s::uuid, %(organization_id)s::uuid, %(user_id)s::uuid,"
    " free.id, %(turn_id)s::uuid, 'assistant', %(text)s, %(state)s, %(call_id)s::uuid,"
    " %(details)s::jsonb FROM free ON CONFLICT (turn_id, role) DO NOTHING"
)
