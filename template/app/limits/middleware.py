"""Every route is limited by client address, whether or not it has a limit of its own."""

from collections.abc import Container
from contextlib import suppress

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.problems import problem_response
from app.limits.addresses import client_address
from app.limits.service import RateLimited, owe, take
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
        owed = None
        try:
            if (scope.get("method", ""), scope["path"]) in self.together:
                owed = owe(key, self.rate)
            else:
                await take(key, self.rate)
        except RateLimited as refusal:
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1013})
            return await problem_response(refusal)(scope, receive, send)
        if owed is None:
            return await self.app(scope, receive, send)
        scope.setdefault("state", {})["owed"] = owed
        try:
            return await self.app(scope, receive, send)
        finally:
            # What came to no statement, such as a body that is no JSON, counts all the same.
            with suppress(RateLimited):
                await owed.take()
