"""Whether what came back is sound: tables, row security, chains, encrypted columns, files."""

from sqlalchemy import select

from app.audit.verification import verify_every_chain
from app.core import migrate
from app.core.crypto import Undecipherable, decrypt
from app.core.db import transaction
from app.core.rotation import Encrypted, encrypted_columns
from app.modules import parts

AT_ONCE = 500


async def problems() -> list[str]:
    """As the app itself sees it, logged in as it does."""
    with migrate.connected() as connection:
        found = migrate.problems(connection)
    for report in await verify_every_chain():
        found += [f"audit, {report.organization_id}: {one}" for one in report.findings]
    found += [
        f"{field.table.name}.{field.column.name}: {count} do not open"
        for field in encrypted_columns()
        if (count := await _unreadable(field))
    ]
    for part in parts("restored"):
        found += await part.problems()
    return found


async def _unreadable(field: Encrypted) -> int:
    count, last = 0, None
    row_id = field.table.c.id
    query = (
        select(row_id, field.whose.label("whose"), field.column.label("value"))
        .where(field.column.is_not(None))
        .order_by(row_id)
        .limit(AT_ONCE)
    )
    while True:
        async with transaction(elevated=True) as db:
            page = query if last is None else query.where(row_id > last)
            rows = (await db.execute(page)).all()
        for row in rows:
            try:
                decrypt(row.value, field.place(row.whose))
            except Undecipherable:
                count += 1
        if len(rows) < AT_ONCE:
            return count
        last = rows[-1][0]
