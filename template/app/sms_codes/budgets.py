"""How many messages may go out: each costs money, and fraud earns with those to far numbers."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.clock import now
from app.core.errors import Unavailable
from app.core.ids import uuid7
from app.core.logging import log
from app.limits.service import Rate, RateLimited, take
from app.sms_codes.models import Purpose, SmsDay
from app.sms_codes.numbers import Number
from app.sms_codes.settings import SmsSettings

ACCOUNT = (Rate(3, 600, strict=True), Rate(10, 86_400, strict=True))
# Above an account's, so that only several accounts with one number come here.
NUMBER = (Rate(5, 600, strict=True), Rate(12, 86_400, strict=True))
ALL = ""
# Kept for people who sign in: whoever only asks to confirm a number cannot use it up.
SIGN_IN_SHARE = 0.2


class BudgetSpent(Unavailable):
    def __init__(self) -> None:
        super().__init__(
            "No more text messages can be sent today. Use another way, or try again tomorrow.",
            retry_after=3600,
        )


async def take_turn(person: Person, purpose: Purpose, *, known: bool) -> None:
    """Count a message against the account. Raises `RateLimited`.

    Strangers who know the password share one budget, and browsers that are `known` the other.
    """
    for rate in ACCOUNT:
        await take(f"sms:{purpose}{_pot(known)}:account:{person.user_id}", rate)


async def number_is_tired(number: Number, purpose: Purpose, *, known: bool) -> bool:
    """Whether a number has had enough; told to nobody, or it would tell who else asked."""
    try:
        for rate in NUMBER:
            await take(f"sms:{purpose}{_pot(known)}:number:{number.e164}", rate)
    except RateLimited:
        log.warning("sms.number_tired", country=number.country, purpose=purpose)
        return True
    return False


def _pot(known: bool) -> str:
    return ":known" if known else ""


async def take_of_day(db: AsyncSession, country: str, purpose: Purpose) -> None:
    """Count a message against the day, in the caller's transaction. Raises `BudgetSpent`."""
    settings = SmsSettings.load()
    share = 1 - (SIGN_IN_SHARE if purpose == Purpose.NUMBER else 0)
    for whose, most in ((country, settings.per_country_and_day), (ALL, settings.per_day)):
        if not await _count(db, whose, max(1, int(most * share))):
            log.error("sms.budget_spent", country=whose or "all", purpose=purpose)
            raise BudgetSpent


async def _count(db: AsyncSession, country: str, most: int) -> bool:
    counted = await db.scalar(
        insert(SmsDay)
        .values(id=uuid7(), day=now().date(), country=country, sent=1)
        .on_conflict_do_update(
            index_elements=[SmsDay.day, SmsDay.country],
            set_={"sent": SmsDay.sent + 1},
            where=SmsDay.sent < most,
        )
        .returning(SmsDay.sent)
    )
    return counted is not None
