"""Whether what someone came by would let them in once more, while what they asked for is under way.

By the rules of any request: a session that has got a new token since is still theirs; one that was
ended, or that its organisation allows no more, is not. Nor is a key that was revoked or is over.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

from app.access.person import Person, may_impersonate
from app.access.roles import held_by
from app.core.direct import Statement
from app.modules import parts

BY_SESSION: LiteralString = "SELECT * FROM reopen_session(%(id)s)"


def asked(person: Person) -> list[Statement]:
    """Send them last in a transaction: to open a session names its organisation to what follows."""
    if person.away:
        return []
    mine = {"id": person.session_id}
    if person.by_key:
        return [(part.REOPEN, mine) for part in parts("bearer") if part.BY_KEY]
    return [(BY_SESSION, mine)]


def opens(person: Person, rows: Sequence[Sequence[Any]]) -> bool:
    """What the rows that were found say."""
    if person.away:
        return True
    if not rows:
        return False
    if person.by_key:
        return True
    role, permissions, by_role, by_permissions = rows[0]
    return by_role is None or may_impersonate(
        held_by(by_role, by_permissions), held_by(role, permissions)
    )
