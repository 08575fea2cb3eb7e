"""Every route is limited by client address, whether or not it has a limit of its own."""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.problems import problem_response
from app.limits.addresses import client_address
from app.limits.service import RateLimited, take
from app.limits.settings import LimitsSettings

# Whoever restarts or routes around an unhealthy process must always get an answer.
EXEMPT = "/health/"


class AddressLimit:
    """Answer 429 with Retry-After to a client address that asks too often."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.rate = LimitsSettings.load().address_rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith(EXEMPT):
            return await self.app(scope, receive, send)
        try:
            await take(f"address:{client_address(scope)}", self.rate)
        except RateLimited as refusal:
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1013})
            return await problem_response(refusal)(scope, receive, send)
        return await self.app(scope, receive, send)
