"""What became of an answer reaches whoever asked: in its conversation, and by mail if they wait.

A module that keeps answers has `reviewed.py` with

    async def deliver(db, reviewed) -> str            as whoever asked: put it where the answer is,
                                                      and tell that page; empty when it is gone
    async def said(db, call_id) -> Said | None        as whoever asked: what a person is to look at
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.cache import service as cache
from app.core.db import elevated, set_context
from app.mail import links
from app.mail import service as mail
from app.modules import parts
from app.review.models import ReviewItem
from app.users.entitled import reader

NOT_RELEASED = "A person has looked at this and did not release an answer."
WAITED_FOR = ("guard", "degraded", "asked")


@dataclass(frozen=True)
class Reviewed:
    """What people decided of an answer."""

    call_id: UUID
    verdict: str
    text: str | None
    """What stands in place of the answer from now on; None leaves it."""
    note: str
    withheld: bool
    """Nobody is shown the answer: the text says so."""


@dataclass(frozen=True)
class Said:
    """A question and its answer."""

    question: str
    answer: str
    details: dict[str, Any] = field(default_factory=dict)


async def tell(db: AsyncSession, person: Person, item: ReviewItem, *, before: str) -> None:
    """Put the verdict into the conversation, in the transaction of the verdict.

    `before` is the verdict that stood there until now, if a third look decides otherwise.
    """
    withheld = item.withheld and item.verdict == "rejected"
    text = None
    if item.verdict == "corrected":
        text = item.correction
    elif withheld:
        text = NOT_RELEASED
    elif item.withheld or before == "corrected":
        text = item.answer
    reviewed = Reviewed(item.call_id, item.verdict, text, item.note, withheld)
    await db.flush()
    # Row security shows a conversation to nobody but its owner.
    await set_context(db, user_id=item.user_id)
    pages = [await part.deliver(db, reviewed) for part in parts("reviewed")]
    await set_context(db, user_id=person.user_id)
    if item.verdict != "approved" and item.answer:
        await cache.forget_answer(db, item.organization_id, item.answer)
    page = next((one for one in pages if one), "")
    if page and item.reason in WAITED_FOR:
        await _mail(db, item, page)


async def _mail(db: AsyncSession, item: ReviewItem, page: str) -> None:
    async with elevated(db):
        readers = await reader(db, item.organization_id, item.user_id)
    for one in readers:
        await mail.send(
            db,
            one.email,
            "review/looked",
            name=one.display_name,
            link=links.to(page, api="/api/conversations"),
        )
