"""Ask for one's own data, and get it while it is there."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.crypto import Opening, encrypt
from app.core.db import elevated, transaction
from app.core.errors import Conflict, NotFound
from app.jobs.queue import enqueue
from app.mail import links
from app.mail import service as mail
from app.own_data import collecting
from app.own_data.models import DataExport
from app.own_data.settings import OwnDataSettings
from app.users.models import Organization, User

PIECE = 256 * 1024
# As long as its job may be tried. What waits longer is made by nobody any more.
BEING_MADE = timedelta(hours=1)


class NoSuchExport(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such file, or its time is over.")


class BeingMade(Conflict):
    """One is being made already."""


async def ask(db: AsyncSession, person: Person) -> DataExport:
    """Have a file made. Raises `BeingMade`."""
    waiting = select(DataExport.id).where(
        DataExport.user_id == person.user_id,
        DataExport.state == "waiting",
        DataExport.created_at > now() - BEING_MADE,
    )
    if await db.scalar(waiting):
        raise BeingMade("Your data is being put together already.")
    made = DataExport(
        organization_id=person.organization_id,
        user_id=person.user_id,
        state="waiting",
        size=0,
        expires_at=now() + timedelta(hours=OwnDataSettings.load().hours),
    )
    db.add(made)
    await db.flush()
    await enqueue(db, "own_data.collect", export_id=made.id)
    await audit.record(db, "own_data.asked", person=person, target=made.id)
    return made


async def exports(db: AsyncSession, person: Person) -> Sequence[DataExport]:
    """One's own, the newest first."""
    query = select(DataExport).where(
        DataExport.user_id == person.user_id, DataExport.expires_at > now()
    )
    return (await db.scalars(query.order_by(DataExport.id.desc()))).all()


async def file(db: AsyncSession, person: Person, export_id: UUID) -> list[bytes]:
    """JSON in pieces: read and opened as one it held up everybody else for a quarter of a second.

    Raises `NoSuchExport`, also for other people's.
    """
    mine = (
        DataExport.id == export_id,
        DataExport.user_id == person.user_id,
        DataExport.organization_id == person.organization_id,
        DataExport.state == "ready",
        DataExport.expires_at > now(),
    )
    async with elevated(db):
        opening = Opening(await _piece(db, mine, 0), _place(export_id))
        found = [opening.opened()]
        while sealed := await _piece(db, mine, len(found)):
            found.append(opening.opened(sealed))
    opening.finish()
    await audit.record(db, "own_data.taken", person=person, target=export_id)
    return found


async def _piece(db: AsyncSession, mine: Iterable[ColumnElement[bool]], number: int) -> bytes:
    """Empty behind the end."""
    part = func.substring(DataExport.content, number * PIECE + 1, PIECE)
    found: bytes | None = await db.scalar(select(part).where(*mine))
    if found is None:
        raise NoSuchExport
    return found


async def collect(export_id: UUID) -> None:
    """Put it together, once, however often asked."""
    async with transaction(elevated=True) as db:
        found = await db.get(DataExport, export_id)
        if found is None or found.state != "waiting":
            return
        user = await db.get_one(User, found.user_id)
        organization = await db.get_one(Organization, found.organization_id)
    most = OwnDataSettings.load().largest_bytes
    try:
        tables = await collecting.collect(
            found.organization_id, found.user_id, user.email, most=most
        )
    except collecting.TooMuch:
        tables = None
    told = {
        "made_at": now().isoformat(),
        "organization": organization.name,
        "tables": tables,
        "left_out": collecting.WITHOUT,
    }
    # Tens of megabytes: nobody else waits for that.
    content = await asyncio.to_thread(orjson.dumps, told, option=orjson.OPT_INDENT_2)
    fits = tables is not None and len(content) <= most
    sealed = await asyncio.to_thread(encrypt, content.decode(), _place(export_id)) if fits else None
    async with transaction(elevated=True) as db:
        noted = await db.scalar(
            update(DataExport)
            .where(DataExport.id == export_id, DataExport.state == "waiting")
            .values(
                state="ready" if fits else "failed",
                size=len(content) if fits else 0,
                content=sealed,
            )
            .returning(DataExport.id)
        )
        if noted:
            await mail.send(
                db,
                user.email,
                "own_data/ready",
                name=user.display_name,
                fits=fits,
                until=f"{found.expires_at:%Y-%m-%d %H:%M}",
                link=links.to("/account/security", api="/api/own-data"),
            )


async def forget(db: AsyncSession) -> None:
    """Delete what is over; as app_auth."""
    await db.execute(delete(DataExport).where(DataExport.expires_at <= now()))


def _place(export_id: UUID) -> str:
    return f"data_exports.content:{export_id}"
