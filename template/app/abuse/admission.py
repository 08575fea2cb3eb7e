"""Looks at who a route lets in: scraping, and people and keys that are suspended for a while.

Reading costs a statement per tenth of the budget at most; see the leases of `app.limits`.
"""

from datetime import timedelta
from functools import cache

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from app.abuse import in_force, subjects
from app.abuse.problems import SlowedDown, SuspendedForNow
from app.abuse.seeing import Seen, see
from app.abuse.settings import AbuseSettings
from app.abuse.subjects import Subject, asking
from app.access.person import Person
from app.limits.service import Rate, RateLimited, said, take

READING = {"GET", "HEAD"}
SLOWED = Rate(per_minute=30)
"""What someone may read who is slowed: a page every few seconds."""
KNOCKING = Rate(100, 3600)
"""How often someone who is slowed may be refused. People stop, programs go on."""
RECORDS_OF_A_PAGE = 50
LARGEST_PAGE = 200
NUMBER = TypeAdapter(int)


async def admitted(request: Request, person: Person, *, essential: bool) -> None:
    """Raise `SuspendedForNow` or `SlowedDown`. Signing out and one's own account stay open."""
    if essential:
        return
    subject = asking(person)
    held = await in_force.strictest("requests", subjects.held(person))
    if held is not None and held.measure == "suspend":
        raise suspended(person, held.left)
    if request.method not in READING:
        return
    if held is not None:
        await _slowed(subject, person)
        return
    settings = AbuseSettings.load()
    limit = settings.reads_per_key if person.by_key else settings.reads_per_person
    try:
        await take(f"reads:{subject.key}", _rate(limit), _cost(request))
    except RateLimited as refusal:
        await see(Seen("scraping", subject, limit, limit, "slow", "requests"))
        raise _slow(person, refusal) from refusal


@cache
def _rate(limit: int) -> Rate:
    return Rate(limit, 3600)


async def _slowed(subject: Subject, person: Person) -> None:
    try:
        await take(f"slowed reads:{subject.key}", SLOWED)
    except RateLimited as refusal:
        try:
            await take(f"knocking:{subject.key}", KNOCKING)
        except RateLimited:
            if can_be_suspended(person):
                await see(Seen("scraping", subject, 100, 100, "suspend", "requests"))
        raise _slow(person, refusal) from refusal


def can_be_suspended(person: Person) -> bool:
    """Keys and members. Who administers is slowed and told of: someone must be there to lift it."""
    return person.by_key or not person.administers


def suspended(person: Person, left: timedelta) -> SuspendedForNow:
    what = "This key is" if person.by_key else "You are"
    return SuspendedForNow(
        f"{what} suspended for {said(max(1, round(left.total_seconds())))}, because far more was"
        " asked for than people ask for. If that is wrong, ask an administrator of your"
        " organisation: they can lift it at once."
    )


def _slow(person: Person, refusal: RateLimited) -> SlowedDown:
    return SlowedDown(refusal.retry_after, what="This key reads" if person.by_key else "You read")


def _cost(request: Request) -> int:
    """A long list counts as the pages that it fills, however its length is written."""
    if not request.scope["query_string"] or "limit" not in request.query_params:
        return 1
    try:
        # As the route reads it: `+200`, `2_00` and `200.0` are two hundred.
        asked = NUMBER.validate_python(request.query_params["limit"])
    except ValidationError:
        return 1  # The route refuses it.
    return 1 + max(0, min(asked, LARGEST_PAGE)) // RECORDS_OF_A_PAGE
