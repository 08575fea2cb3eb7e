"""What the tables hold about a person, by what each model says of its columns.

A row is a person's when its `user_id` is theirs, or as `OWN` says. Secrets and what they are
compared with are left out. A table with words or names that is in no list fails a test.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Column, Table, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import data
from app.core.crypto import Undecipherable, decrypt
from app.core.data import Data, Level
from app.core.db import AUTH_ROLE, transaction
from app.core.pieces import in_pieces

APP_ROLE = "app"
ROWS_AT_ONCE = 200
OWN = {
    "users": ("id", "id"),
    "documents": ("owner_id", "id"),
    "invitations": ("email", "email"),
    "mail_messages": ("recipient", "email"),
}
"""By which column, and by what of the person."""
WITHOUT = {
    "abuse_measures": "It would tell those who misuse the app what gave them away; ask for it.",
    "abuse_sightings": "It would tell those who misuse the app what gave them away; ask for it.",
    "cached_answers": "Copies of answers that stand in `messages`, kept for some hours.",
    "cached_vectors": "Numbers made of texts; nobody can be told from them.",
    "data_exports": "The file itself.",
    "eval_runs": "Work on the app: an id says who started it.",
    "feature_flags": "Work on the app: an id says who changed it.",
    "guard_settings": "Words that an organisation watches for.",
    "monitoring_decisions": "Work on the app: an id says who started it.",
    "monitoring_judgements": "Copies of answers for a judge, encrypted, under no name.",
    "organizations": "The organisation's; its name stands at the top.",
    "passages": "Pieces of `documents`, which can be downloaded.",
    "prompt_experiments": "Work on the app: an id says who started it.",
    "prompt_moves": "Work on the app: an id says who moved it.",
    "prompt_shadows": "Work on the app: an id says who started it.",
    "prompt_versions": "Work on the app: an id says who wrote it.",
    "review_cases": "Cases for evaluations, without what tells of persons.",
    "review_looks": "What reviewers said of answers; of one's own it stands in `review_items`.",
    "roles": "The organisation's.",
    "scim_groups": "The directory of the organisation keeps it.",
}
"""Why a table that holds words or names, or knows of people, is not in the file."""


class TooMuch(Exception):
    """More than one file takes."""


def own_tables() -> Iterator[tuple[Table, Data, str, str]]:
    """Each with the column by which a row is a person's, and by what of them."""
    for table, declared in data.tables():
        if declared is None or table.name in WITHOUT:
            continue
        if table.name in OWN:
            yield table, declared, *OWN[table.name]
        elif "user_id" in table.columns:
            yield table, declared, "user_id", "id"


def told(table: Table, declared: Data) -> list[Column[Any]]:
    """The columns that are told: all but secrets."""
    return [one for one in table.columns if data.level(one, declared) != Level.CREDENTIAL]


async def collect(
    organization_id: UUID, user_id: UUID, email: str, *, most: int
) -> dict[str, list[dict[str, Any]]]:
    """Rows by table. Each is read by the role that may; row security holds for the app's own.

    Raises `TooMuch` as soon as the rows have more than `most` bytes as JSON.
    """
    whose: dict[str, Any] = {"id": user_id, "email": email}
    found: dict[str, list[dict[str, Any]]] = {}
    size = 0
    for table, declared, column, key in own_tables():
        wanted = told(table, declared)
        async with transaction(organization_id=organization_id, user_id=user_id) as db:
            elevated = await _reader(db, table, wanted) == AUTH_ROLE
        # Secrets have no business in the answer, so the columns are named.
        query = select(*wanted).where(table.columns[column] == whose[key])
        if "organization_id" in table.columns:
            query = query.where(table.columns["organization_id"] == organization_id)
        async with transaction(
            organization_id=organization_id, user_id=user_id, elevated=elevated
        ) as db:
            ours = found[str(table.name)] = []
            async for found_row in in_pieces(db, query, table.columns.id, at_once=ROWS_AT_ONCE):
                row = found_row._mapping
                ours.append({str(one.name): _plain(row[one], one, row) for one in wanted})
                size += len(orjson.dumps(ours[-1]))
                if size > most:
                    raise TooMuch
    return found


async def _reader(db: AsyncSession, table: Table, wanted: list[Column[Any]]) -> str:
    """The app's own role, where it may read all of it; else the one that sees credentials."""
    may = text(
        "SELECT bool_and(has_column_privilege(:role, :table, name, 'SELECT'))"
        " FROM unnest(CAST(:names AS text[])) AS name"
    )
    for role in (APP_ROLE, AUTH_ROLE):
        names = [one.name for one in wanted]
        if await db.scalar(may, {"role": role, "table": table.name, "names": names}):
            return role
    raise LookupError(f"no role may read all of {table.name}")


def _plain(value: Any, column: Column[Any], row: Any) -> Any:
    """As JSON takes it; what is encrypted is opened."""
    if isinstance(value, bytes) and (whose := column.info.get("encrypted_for")):
        place = f"{column.table.name}.{column.name}:{row[column.table.columns[whose]]}"
        try:
            return decrypt(value, place)
        except Undecipherable:
            return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    return value.value if isinstance(value, Enum) else value
