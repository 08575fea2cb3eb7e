"""Back to one's own session, which waits in a cookie of its own."""

from starlette.requests import Request

from app.access.access import SignInFirst
from app.access.forgery import OWN_SESSION_COOKIE, SESSION_COOKIE
from app.access.person import Person, identify
from app.core.db import transaction
from app.impersonation import service


async def go_back(request: Request) -> str:
    """End what runs; gives the token of the own session. Raises `SignInFirst` when it ended."""
    tokens = [request.cookies.get(name) for name in (SESSION_COOKIE, OWN_SESSION_COOKIE)]
    for token in tokens:
        person = await _behind(token) if token else None
        if person is not None:
            await service.end(person)
            if token and person.impersonation is None and person.level == "full":
                return token
    raise SignInFirst


async def _behind(token: str) -> Person | None:
    async with transaction() as db:
        return await identify(db, token)
