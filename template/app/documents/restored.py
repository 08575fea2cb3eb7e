"""After a restore: every file is there and opens to what was uploaded."""

import hashlib

from sqlalchemy import select

from app.core.db import transaction
from app.core.errors import Problem
from app.documents import service
from app.documents.models import Document
from app.storage.service import FileDamaged


async def problems() -> list[str]:
    async with transaction(elevated=True) as db:
        query = select(Document).where(Document.state == "ready").order_by(Document.id)
        documents = (await db.scalars(query)).all()
    lost = [one for one in documents if not await _opens(one)]
    return [f"documents: {len(lost)} of {len(documents)} files do not open"] if lost else []


async def _opens(document: Document) -> bool:
    seen = hashlib.sha256()
    try:
        async for piece in service.file_of(document):
            seen.update(piece)
    except (Problem, FileDamaged):
        return False
    return seen.digest() == document.sha256
