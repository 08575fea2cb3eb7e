"""Nearest neighbours inside PostgreSQL (pgvector), among the rows that the person may see.

An HNSW index knows nothing of row-level security: it hands out the nearest rows of everybody, the
policy throws most of them away, and a small organisation gets nothing at all. Therefore

- who has few rows is answered exactly: those rows are gathered first and compared one by one;
- otherwise the index goes on looking until enough rows are found that may be seen;
- and whoever gets too few from the index is answered exactly after all.

A number takes two bytes. A million vectors of 1,024 numbers take 2.7 GB in the table and as much in
the index, which should fit into the server's memory. Shorter ones are filled up with zeros, which
changes no angle between them. Let the migration say `ALTER COLUMN ... SET STORAGE PLAIN`: outside
the table they take three times as long to compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, literal, select, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import Float, UserDefinedType

# Measured with 1,024 numbers: comparing so many one by one takes 7 ms, the index 6 ms.
FEW = 5_000
MOST_SCANNED = 50_000
# relaxed_order finds more; what it found is put in order afterwards.
SEARCH = text(
    "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true),"
    " set_config('hnsw.ef_search', :ef_search, true),"
    " set_config('hnsw.max_scan_tuples', :most, true)"
)


class Vector(UserDefinedType[list[float]]):
    """A column of half-precision numbers."""

    cache_ok = True

    def __init__(self, dimensions: int | str) -> None:
        self.dimensions = int(dimensions)

    def get_col_spec(self, **_: Any) -> str:
        return f"HALFVEC({self.dimensions})"

    def bind_processor(self, dialect: Any) -> Any:
        return lambda value: None if value is None else written(value, self.dimensions)

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        return lambda value: (
            None if value is None else [float(one) for one in value[1:-1].split(",")]
        )


# So that `app db check` knows the type when it looks at the tables.
ischema_names["halfvec"] = Vector


@dataclass(frozen=True, slots=True)
class Near:
    """A row and its cosine distance: 0 says the same, 1 has nothing to do with it."""

    id: UUID
    distance: float


def written(numbers: Sequence[float], dimensions: int) -> str:
    """A vector as the database reads it, of length 1 and filled up with zeros.

    Raises `ValueError` for one that is too long, or has no direction.
    """
    size = sqrt(sum(one * one for one in numbers))
    if len(numbers) > dimensions or not isfinite(size) or not size:
        raise ValueError(f"no vector of at most {dimensions} numbers")
    zeros = ["0"] * (dimensions - len(numbers))
    return f"[{','.join([f'{one / size:.5g}' for one in numbers] + zeros)}]"


async def nearest(
    db: AsyncSession,
    column: InstrumentedAttribute[Any],
    vector: Sequence[float],
    *,
    where: Sequence[ColumnElement[bool]] = (),
    limit: int,
    few: int = FEW,
) -> list[Near]:
    """The nearest rows of the current organisation that `where` and row security let through.

    The table has `id` and `organization_id`; with no organisation set there are no rows.
    """
    seen = visible(column, where)
    enough = select(func.count()).select_from(seen.limit(few + 1).subquery())
    if ((await db.scalar(enough)) or 0) > few:
        await db.execute(SEARCH, {"ef_search": str(max(100, limit)), "most": str(MOST_SCANNED)})
        found = await _found(db, by_index(column, where, limit), column, vector)
        if len(found) == limit:
            return found
    return await _found(db, exact(column, where, limit), column, vector)


def visible(
    column: InstrumentedAttribute[Any], where: Sequence[ColumnElement[bool]]
) -> Select[Any]:
    """The rows to choose among. Row security says the same of the organisation, once more."""
    table = column.class_
    mine = table.organization_id == select(func.current_organization()).scalar_subquery()
    return select(table.id).where(mine, column.is_not(None), *where)


def exact(
    column: InstrumentedAttribute[Any],
    where: Sequence[ColumnElement[bool]],
    limit: int,
) -> Select[Any]:
    """Gathered before they are compared, so that no index for vectors can be used."""
    # OFFSET 0 keeps the planner from ordering by the index.
    rows = visible(column, where).add_columns(column.label("vector")).offset(literal(0))
    mine = rows.cte("mine")
    distance = _distance(mine.c.vector, column)
    mine_first = select(mine.c.id, distance.label("distance")).order_by(distance)
    return mine_first.limit(limit)


def by_index(
    column: InstrumentedAttribute[Any],
    where: Sequence[ColumnElement[bool]],
    limit: int,
) -> Select[Any]:
    distance = _distance(column, column)
    rows = visible(column, where).add_columns(distance.label("distance"))
    found = rows.order_by(distance).limit(limit).cte("found")
    return select(found.c.id, found.c.distance).order_by(found.c.distance + 0)


def _distance(one: Any, column: InstrumentedAttribute[Any]) -> ColumnElement[float]:
    wanted: ColumnElement[Any] = bindparam("wanted", type_=column.type)
    return one.op("<=>", return_type=Float())(wanted)  # type: ignore[no-any-return]


async def _found(
    db: AsyncSession,
    query: Select[Any],
    column: InstrumentedAttribute[Any],
    vector: Sequence[float],
) -> list[Near]:
    rows = await db.execute(query, {"wanted": list(vector)})
    return [Near(*row) for row in rows]
