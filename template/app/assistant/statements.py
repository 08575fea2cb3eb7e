"""What a turn asks of the database; the functions are in the first migration.

Row security limits each statement to the person's own rows.
"""

from typing import LiteralString

ASK: LiteralString = (
    "SELECT * FROM conversation_ask(%(conversation_id)s, %(organization_id)s, %(user_id)s,"
    " %(turn_id)s, %(question)s, %(key)s, %(moment)s, %(until)s, %(most)s)"
)
ANSWER: LiteralString = (
    "SELECT conversation_answer(%(conversation_id)s, %(organization_id)s, %(user_id)s, %(turn_id)s,"
    " %(question)s, %(key)s, %(moment)s, %(title)s, %(tainted)s, %(id)s, %(text)s, %(state)s,"
    " %(call_id)s, %(details)s)"
)
RELEASE: LiteralString = (
    "UPDATE conversations SET answering_until = NULL WHERE id = %(conversation_id)s"
)
LET_GO: LiteralString = (
    "UPDATE conversations SET answering_until = NULL"
    " WHERE id = %(conversation_id)s AND answering_until = %(until)s"
)
FORGET: LiteralString = "DELETE FROM messages WHERE turn_id = %(turn_id)s"
