"""Short transactions straight on the driver, for the few statements of a hot path.

A session with its mapper costs several times what the driver does, and each round trip wakes two
processes. Here BEGIN and the tenant travel with the first statement, and what is only written
travels with the commit.

    async with direct(organization_id=one, user_id=another) as db:
        taken, said = await db.fetch_all((TAKE, {...}), (HISTORY, {...}))   one round trip
        db.write(ADD, {...})
        db.write_last(COUNT, {...})                                         one more, with COMMIT

The connection is one of the session's pool. Statements are fixed texts with `%(name)s` for values;
they are brought into the server's own form once, where the driver would parse long ones each time.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from itertools import groupby
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection, AsyncRawCursor, OperationalError
from psycopg.rows import TupleRow
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection as Pooled
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import doubt, engine

Statement = tuple[LiteralString, Mapping[str, Any]]

CONTEXT: LiteralString = (
    "SELECT set_config('app.organization_id', %(organization_id)s, true),"
    " set_config('app.user_id', %(user_id)s, true)"
)


class Direct:
    """A transaction in which statements are sent together as far as possible."""

    def __init__(self, connection: AsyncConnection[TupleRow], context: Mapping[str, str]) -> None:
        self._connection = connection
        self._waiting: list[Statement] = [(CONTEXT, context)]
        self._last: list[Statement] = []
        self._begun = False

    def write(self, statement: LiteralString, values: Mapping[str, Any]) -> None:
        """Run it with what is sent next, at the latest with the commit. Its rows are lost."""
        self._waiting.append((statement, values))

    def write_last(self, statement: LiteralString, values: Mapping[str, Any]) -> None:
        """Run it right before the commit: for rows that others wait for while they are locked."""
        self._last.append((statement, values))

    async def fetch_all(self, *statements: Statement) -> list[list[TupleRow]]:
        """Run all that waits and then these, in one round trip; the rows of each of these."""
        sent, self._waiting = [*self._waiting, *statements], []
        self._begun = True
        async with self._connection.pipeline():
            cursors = [await execute(self._connection, *one) for one in sent]
        return [await one.fetchall() for one in cursors[-len(statements) :]]

    async def fetch(self, statement: LiteralString, values: Mapping[str, Any]) -> list[TupleRow]:
        return (await self.fetch_all((statement, values)))[0]

    async def commit(self) -> None:
        sent = [*self._waiting, *self._last]
        if not self._begun and len(sent) == 1:
            return  # Nothing but the context: nothing has happened.
        self._waiting, self._last = [], []
        joined = [*_joined(sent)]
        if not self._begun and len(joined) == 1:
            await self._alone(*joined[0])
            return
        async with self._connection.pipeline():
            for one in joined:
                await execute(self._connection, *one)
            # The driver's own commit() would wait for it, and then for the end of the pipeline.
            await self._connection.execute("COMMIT")

    async def _alone(self, statement: LiteralString, values: Mapping[str, Any]) -> None:
        """One statement is a transaction by itself: without BEGIN and COMMIT it is sent at once."""
        try:
            await self._connection.set_autocommit(True)
            await execute(self._connection, statement, values)
            await self._connection.set_autocommit(False)
        except BaseException:
            # Nobody else may get a connection that commits by itself; the pool opens a new one.
            self._connection.pgconn.finish()
            raise


@asynccontextmanager
async def direct(
    *, organization_id: UUID | None = None, user_id: UUID | None = None
) -> AsyncIterator[Direct]:
    """Commits at the end, or rolls back. Raises the driver's own errors, `psycopg.Error`."""
    context = {"organization_id": _said(organization_id), "user_id": _said(user_id)}
    async with engine().connect() as pooled:
        db = Direct(await _driver(pooled), context)
        try:
            yield db
            await db.commit()
            # Without a commit the pool rolls back when it gets the connection.
        except OperationalError:
            doubt()
            raise


async def fetch_first(
    db: AsyncSession, statement: LiteralString, values: Mapping[str, Any]
) -> TupleRow | None:
    """Begin the session's transaction with a statement, both in one round trip; its first row."""
    connection = await _driver(await db.connection())
    async with connection.pipeline():
        cursor = await execute(connection, statement, values)
    return await cursor.fetchone()


async def execute(
    connection: AsyncConnection[TupleRow], statement: LiteralString, values: Mapping[str, Any]
) -> AsyncRawCursor[TupleRow]:
    """Run a statement as it stands in these modules. Raises `psycopg.Error`."""
    text, names = _numbered(statement)
    return await AsyncRawCursor(connection).execute(text, [values[name] for name in names])


@cache
def _numbered(statement: LiteralString) -> tuple[bytes, Sequence[str]]:
    """With `$1` for the first value and so on, and the names of the values in that order."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"${names.setdefault(found[1], len(names) + 1)}"

    return re.sub(r"%\((\w+)\)s", number, statement).encode(), list(names)


async def _driver(pooled: Pooled) -> AsyncConnection[TupleRow]:
    connection = (await pooled.get_raw_connection()).driver_connection
    if not isinstance(connection, AsyncConnection):
        raise TypeError("This works on psycopg.")
    return connection


async def write(
    db: AsyncSession | Direct, statement: LiteralString, values: Mapping[str, Any]
) -> None:
    """Run a statement whose rows nobody needs, whichever way the transaction works."""
    if isinstance(db, Direct):
        db.write_last(statement, values)
    else:
        await db.execute(_for_sessions(statement), values)


@cache
def _for_sessions(statement: LiteralString) -> TextClause:
    return text(re.sub(r"%\((\w+)\)s", r":\1", statement))


def _joined(sent: Sequence[Statement]) -> Iterator[Statement]:
    """Neighbours that only call functions become one statement, whose columns come in order."""
    for calls, group in groupby(sent, key=lambda one: _only_calls(one[0])):
        found = list(group)
        if not calls or len(found) == 1:
            yield from found
            continue
        values = {
            f"{at}_{name}": value for at, one in enumerate(found) for name, value in one[1].items()
        }
        yield _one_of(*(statement for statement, _ in found)), values


@cache
def _only_calls(statement: LiteralString) -> bool:
    return re.match(r"\s*SELECT \w+\((?!.*\bFROM\b)", statement, re.DOTALL) is not None


@cache
def _one_of(*statements: LiteralString) -> LiteralString:
    """`SELECT a(%(x)s)` and `SELECT b(%(x)s)` as `SELECT a(%(0_x)s), b(%(1_x)s)`."""
    columns: list[LiteralString] = [
        statement.strip().removeprefix("SELECT ").replace("%(", f"%({at}_")
        for at, statement in enumerate(statements)
    ]
    return "SELECT " + ", ".join(columns)


def _said(value: UUID | None) -> str:
    return "" if value is None else str(value)
