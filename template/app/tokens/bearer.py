"""Access tokens: for programs that people sign in to, each standing for their session."""

from dataclasses import replace
from typing import LiteralString

from app.access.person import Person, person_of
from app.core import credentials
from app.core.clock import now
from app.limits.connections import fetch
from app.tokens import signed

PREFIX = credentials.prefix("at")
BY_KEY = False
OPEN: LiteralString = "SELECT * FROM open_session(digest_of_token_session(%(session)s))"


async def identify(credential: str) -> Person | None:
    found = signed.read("at", credential)
    if found is None:
        return None
    session_id, ends = found
    if now().timestamp() >= ends:
        return None
    person = person_of(await fetch(OPEN, {"session": session_id}))
    return person and replace(person, by_token=True)
