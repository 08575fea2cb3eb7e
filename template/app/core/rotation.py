"""Encrypted columns, and how they come to a new key: `app keys rotate`.

A model says which of its columns are encrypted, and for which value of the row:

    secret: Mapped[bytes] = mapped_column(info=encrypted_for("user_id"))

Its place is then `<table>.<column>:<that value>`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, func, select, update

from app.core.crypto import Undecipherable, decrypt, encrypt, newest
from app.core.db import Base, transaction
from app.modules import parts

BATCH = 200


@dataclass
class Count:
    """What became of one column's values."""

    column: str
    renewed: int = 0
    unreadable: int = 0
    """No key that is set opens them; they are left as they are."""


@dataclass(frozen=True)
class Encrypted:
    table: Table
    column: Column[Any]
    whose: Column[Any]

    def place(self, value: object) -> str:
        return f"{self.table.name}.{self.column.name}:{value}"


def encrypted_for(column: str = "id") -> dict[str, str]:
    """For `mapped_column(info=…)`: encrypted for one row, told by the value of `column`."""
    return {"encrypted_for": column}


def encrypted_columns() -> Iterator[Encrypted]:
    """Every encrypted column of every module."""
    parts("models")
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if whose := column.info.get("encrypted_for"):
                yield Encrypted(table, column, table.columns[whose])


async def rotate(told: Callable[[Count], None] = lambda _: None) -> list[Count]:
    """Encrypt anew, with the first of ENCRYPTION_KEYS, whatever another one encrypted.

    In small transactions, beside the running app; safe to repeat and to break off.
    """
    counts = []
    for field in encrypted_columns():
        counts.append(await _rotate(field))
        told(counts[-1])
    return counts


async def _rotate(field: Encrypted) -> Count:
    count = Count(f"{field.table.name}.{field.column.name}")
    row_id, head, last = field.table.c.id, newest(), None
    while True:
        query = (
            select(row_id, field.whose.label("whose"), field.column.label("value"))
            .where(field.column.is_not(None))
            .where(func.substring(field.column, 1, len(head)) != head)
            .order_by(row_id)
            .limit(BATCH)
            .with_for_update()
        )
        if last is not None:
            query = query.where(row_id > last)
        async with transaction(elevated=True) as db:
            rows = (await db.execute(query)).all()
            for row in rows:
                place = field.place(row.whose)
                try:
                    renewed = encrypt(decrypt(row.value, place), place)
                except Undecipherable:
                    count.unreadable += 1
                    continue
                change = update(field.table).where(row_id == row[0])
                await db.execute(change.values({field.column.name: renewed}))
                count.renewed += 1
        if not rows:
            return count
        last = rows[-1][0]
