"""The kept connections to model providers: one client for the process, closed at its end."""

import asyncio
from contextlib import suppress

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

# Longer than people pause between two questions, shorter than load balancers keep a connection.
KEPT_SECONDS = 50

_sessions: dict[asyncio.AbstractEventLoop, ClientSession] = {}


def session() -> ClientSession:
    """The client of this event loop; a process has one loop, a test run may have several."""
    loop = asyncio.get_running_loop()
    known = _sessions.get(loop)
    if known is None or known.closed:
        known = _sessions[loop] = ClientSession(
            # The number of calls at once is the gateway's matter, not the connector's.
            connector=TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None),
        )
    return known


async def close() -> None:
    """Close the client of this event loop; the next use opens a new one."""
    known = _sessions.pop(asyncio.get_running_loop(), None)
    if known is not None:
        await known.close()
        # TLS connections need one turn of the loop to say goodbye.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
