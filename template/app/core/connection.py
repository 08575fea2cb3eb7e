"""The driver's connection, which goes on watching its socket between two statements.

The driver tells the event loop to watch a socket for each answer, and to stop when it is there. On
the loop that servers use this costs more than what is sent and read. Here the loop is told once.

Nothing may close a socket that the loop watches: a new one could get its number. So `close()` is
the only way to end one of these connections, and one that broke is not watched any longer.
"""

import asyncio
from collections.abc import Generator
from typing import Any, TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import ConnStatus
from psycopg.rows import TupleRow
from psycopg.waiting import Ready, Wait

R = TypeVar("R")


class Connection(AsyncConnection[TupleRow]):
    _watched: tuple[asyncio.AbstractEventLoop, int] | None = None
    _answer: asyncio.Future[None] | None = None

    async def wait(
        self,
        gen: PQGen[R],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 as the driver has it
    ) -> R:
        """What the driver does, for statements whose answer it only has to read."""
        if timeout is not None:
            self._unwatch()
            return await super().wait(gen, interval, timeout)
        number = self.pgconn.socket  # Raises, before anything is begun, where it is gone.
        try:
            wanted = next(gen)
            while wanted == Wait.R:
                await self._readable(number)
                wanted = gen.send(Ready.R)
        except StopIteration as end:
            found: R = end.value
            return found
        except OSError as error:
            raise OperationalError("connection socket closed") from error
        except (asyncio.CancelledError, KeyboardInterrupt) as interruption:
            # The driver tells the server to stop, and takes what it still says.
            self._unwatch()
            return await super().wait(_Rest(gen, interruption=interruption), interval)
        finally:
            if self.pgconn.status != ConnStatus.OK:
                self._unwatch()
        self._unwatch()
        return await super().wait(_Rest(gen, wanted=wanted), interval)

    async def close(self) -> None:
        self._unwatch()
        await super().close()

    async def _readable(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        if self._watched is None or self._watched[0] is not loop:
            self._unwatch()
            loop.add_reader(number, self._woken)
            self._watched = loop, number
        self._answer = loop.create_future()
        try:
            await self._answer
        finally:
            self._answer = None

    def _woken(self) -> None:
        if self._answer is None:
            # Nobody waits, so nobody would read it: the server has hung up, or says something.
            self._unwatch()
        elif not self._answer.done():
            self._answer.set_result(None)

    def _unwatch(self) -> None:
        if self._watched is not None:
            (loop, number), self._watched = self._watched, None
            if not loop.is_closed():
                loop.remove_reader(number)


class _Rest(Generator[Any, Any, Any]):
    """The rest of what the driver has begun, which it takes for something new."""

    def __init__(
        self, gen: Any, *, wanted: Any = None, interruption: BaseException | None = None
    ) -> None:
        self._gen, self._wanted, self._interruption = gen, wanted, interruption

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, ready: Any) -> Any:
        if self._interruption is not None:
            interruption, self._interruption = self._interruption, None
            raise interruption
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            return wanted
        return self._gen.send(ready)

    def throw(self, *error: Any) -> Any:
        return self._gen.throw(*error)
