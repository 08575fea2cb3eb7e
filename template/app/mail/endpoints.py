from fastapi import APIRouter, Depends

from app.access.access import public
from app.core.db import Database, elevated
from app.mail import service
from app.mail.dependencies import inbox_only
from app.mail.schemas import LetterOut

router = APIRouter(
    prefix="/api/dev/inbox",
    dependencies=[public(), Depends(inbox_only)],
    include_in_schema=False,
)


@router.get("", response_model=list[LetterOut])
async def list_mail(db: Database, to: str | None = None) -> list[service.Letter]:
    """The newest messages, of one address if asked."""
    async with elevated(db):
        return await service.inbox(db, to)
