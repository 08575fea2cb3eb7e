"""Old rows go some at a time.

A job that is ended in between has done its part, and no transaction lasts for so long that the
database cannot tidy up behind everybody else.
"""

from sqlalchemy import ColumnElement, delete, select

from app.core.db import Base, transaction

AT_ONCE = 5_000


async def delete_old(kind: type[Base], *where: ColumnElement[bool]) -> int:
    """As app_auth, in transactions of its own; how many rows went."""
    count = 0
    while True:
        some = select(kind.id).where(*where).limit(AT_ONCE)
        async with transaction(elevated=True) as db:
            gone = await db.scalars(delete(kind).where(kind.id.in_(some)).returning(kind.id))
            number = len(gone.all())
        count += number
        if number < AT_ONCE:
            return count
