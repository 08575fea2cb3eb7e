"""Every route is limited by client address, whether or not it has a limit of its own."""

from collections.abc import Container
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.problems import problem_response
from app.limits.addresses import client_address
from app.limits.service import CLAIM, OWED, RateLimited, owe, take
from app.limits.settings import LimitsSettings

# Whoever restarts or routes around an unhealthy process must always get an answer.
EXEMPT = "/health/"


class AddressLimit:
    """Answer 429 with Retry-After to a client address that asks too often.

    For a method and path of `together`, what the database must be asked is left to the statement
    that takes the route's own limit: one round trip less.
    """

    def __init__(self, app: ASGIApp, together: Container[tuple[str, str]] = ()) -> None:
        self.app, self.together = app, together
        self.rate = LimitsSettings.load().address_rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith(EXEMPT):
            return await self.app(scope, receive, send)
        key = f"address:{client_address(scope)}"
        together = (scope.get("method", ""), scope["path"]) in self.together
        try:
            if together:
                scope.setdefault("state", {})[OWED] = owe(key, self.rate)
            else:
                await take(key, self.rate)
        except RateLimited as refusal:
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1013})
            return await problem_response(refusal)(scope, receive, send)
        if together:
            return await self._counted(scope, receive, send)
        return await self.app(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What came to no statement, such as a body that is no JSON, counts all the same."""
        is_refused = False

        async def send_when_counted(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                try:
                    await _take_what_is_owed(scope)
                except RateLimited as refusal:
                    is_refused = True
                    return await problem_response(refusal)(scope, receive, send)
            if not is_refused:
                await send(message)
            return None

        try:
            await self.app(scope, receive, send_when_counted)
        finally:
            with suppress(RateLimited):  # Also of who left before the answer.
                await _take_what_is_owed(scope)


async def _take_what_is_owed(scope: Scope) -> None:
    """By the route's own limit where one was reached, else by the address alone."""
    state = scope["state"]
    if (owed := state.get(CLAIM) or state[OWED]) is not None:
        await owed.take()
