"""Stands between the app and PostgreSQL, and breaks their connection at the statement one names."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import psycopg

Way = Literal["not sent", "not answered", "all ended", "silence"]
WAYS: tuple[Way, ...] = ("not sent", "not answered", "all ended")
END_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE usename = 'app' AND datname = current_database()"
)


class Proxy:
    """What the app sends arrives in pieces; each is one or several statements sent together."""

    def __init__(self, real_url: str, admin_url: str) -> None:
        self.real, self.admin_url = urlsplit(real_url), admin_url
        self.pieces = 0
        self.url = ""
        self.broke = asyncio.Event()
        self._at, self._way, self._word = 0, WAYS[0], b""

    def break_at(self, piece: int, way: Way, word: bytes = b"") -> None:
        """`not sent`: the piece never arrives. `not answered`: it is done, and nobody hears of it.
        `all ended`: the server ends all connections, as when it restarts. `silence`: they stay
        open, and nothing comes any more. `word` names the piece by what stands in it, as long as
        it is not prepared.
        """
        self.pieces, self._at, self._way, self._word = 0, piece, way, word
        self.broke.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await self._connect()
        answered, deaf = asyncio.Event(), asyncio.Event()

        async def pass_answers_on() -> None:
            try:
                while answer := await server_reader.read(1 << 20):
                    answered.set()
                    if not deaf.is_set():
                        writer.write(answer)
            finally:
                answered.set()
                writer.close()

        answers = asyncio.create_task(_until_cut(pass_answers_on()))
        try:
            while piece := await reader.read(1 << 20):
                self.pieces += 1
                named = self._word and self._word in piece
                if (named or self.pieces == self._at) and not self.broke.is_set():
                    self.broke.set()
                    if self._way == "all ended":
                        await asyncio.to_thread(self._end_all)
                    elif self._way == "silence":
                        deaf.set()
                        await reader.read()  # Until the app has had enough.
                        return
                    else:
                        if self._way == "not answered":
                            deaf.set()
                            answered.clear()
                            server_writer.write(piece)
                            await answered.wait()
                        return
                server_writer.write(piece)
        except ConnectionError:
            pass
        finally:
            answers.cancel()
            server_writer.close()
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = parse_qs(self.real.query).get("host", [self.real.hostname or ""])[0]
        port = int(parse_qs(self.real.query).get("port", [self.real.port or 5432])[0])
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    def _end_all(self) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(END_ALL)


async def _until_cut(work: Coroutine[None, None, None]) -> None:
    with suppress(ConnectionError, asyncio.CancelledError):
        await work


@asynccontextmanager
async def between(real_url: str, admin_url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(real_url, admin_url)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        await _until_cut(proxy.serve(reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    account = proxy.real.netloc.rpartition("@")[0]
    proxy.url = (
        f"postgresql://{account}@127.0.0.1:{port}{proxy.real.path}"
        "?sslmode=disable&gssencmode=disable"
    )
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
