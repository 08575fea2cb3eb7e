"""Connections to a server that really listens, for browsers that think they are at
https://testserver."""

import secrets
import sys

import httpx2


class Sockets(httpx2.AsyncBaseTransport):
    """Carries what a browser sends to https://testserver: each through a socket of its own, from
    an address of its own where a machine has many."""

    def __init__(self, server: str) -> None:
        self.port = int(server.rpartition(":")[2])
        self.opened: list[httpx2.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self.port)
        mine = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}.1"
        made = httpx2.AsyncHTTPTransport(
            verify=False, local_address=mine if sys.platform == "linux" else None
        )
        self.opened.append(made)
        return await made.handle_async_request(request)

    async def aclose(self) -> None:
        for one in self.opened:
            await one.aclose()
