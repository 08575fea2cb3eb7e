"""Many rows, read some at a time."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession


async def in_pieces(
    db: AsyncSession, query: Select[*tuple[Any, ...]], *place: ColumnElement[Any], at_once: int
) -> AsyncIterator[Row[Any]]:
    """The rows of a query in the order of the columns `place`, which no two rows have alike.

    Not by a cursor of the server: where the reader is cancelled while it opens, nobody closes it.
    """
    piece = query.order_by(*place).limit(at_once)
    rows = list(await db.execute(piece))
    while rows:
        for row in rows:
            yield row
        if len(rows) < at_once:
            return
        last = tuple(rows[-1]._mapping[one] for one in place)
        rows = list(await db.execute(piece.where(tuple_(*place) > last)))
