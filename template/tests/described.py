"""Every answer that a test gets from the API has a status that /api/openapi.json names."""

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from app.access.description import describe

undescribed: list[str] = []
"""What was answered and is not in the description; emptied by each test."""


class Described:
    """The app, with an eye on what it answers."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._compare(scope, message["status"])
            await send(message)

        await self.app(scope, receive, watched)

    def _compare(self, scope: Scope, status: int) -> None:
        path = getattr(scope.get("route"), "path", "")
        operation = describe(self.app)["paths"].get(path, {}).get(scope["method"].lower())
        # 500 is a bug that a test has put there.
        if operation and str(status) not in operation["responses"] and status != 500:
            undescribed.append(f"{scope['method']} {path} answers {status}")
