from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.notes.models import Note


async def keep(db: AsyncSession, organization_id: UUID, text: str) -> Note:
    note = Note(organization_id=organization_id, text=text)
    db.add(note)
    return note


async def texts(db: AsyncSession) -> Sequence[str]:
    return (await db.scalars(select(Note.text).order_by(Note.id))).all()
