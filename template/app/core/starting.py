"""A start that is refused says why in a sentence, not in a traceback, where no code is wrong."""

import sys

from starlette.types import Message, Send

from app.core.errors import CannotStart


def plainly(send: Send) -> Send:
    """For the server that starts the app: it writes down what it is told and ends."""

    async def told(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed" and (why := _why()):
            message = {**message, "message": why}
        await send(message)

    return told


def _why() -> str:
    """Of the error that is being handled while the server is told."""
    error = sys.exc_info()[1]
    if isinstance(error, CannotStart):
        return str(error)
    from app.core.commands import reason  # Brings the command line, which few starts need.

    return reason(error) if isinstance(error, Exception) else ""
