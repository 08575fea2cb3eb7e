"""Model extraction: who asks many different questions in a short time copies the model.

A process keeps fingerprints of ten questions of each before it tells the database, so a person who
asks as people do costs none of it anything. No text is kept, only 64 bits of a keyed digest.
"""

from collections import OrderedDict
from typing import Any
from unicodedata import normalize
from uuid import UUID

from app.abuse import in_force
from app.abuse.admission import can_be_suspended, suspended
from app.abuse.problems import SlowedDown
from app.abuse.seeing import Seen, different, fingerprint, see
from app.abuse.settings import CALLS, AbuseSettings
from app.abuse.subjects import Subject, asking, held, organization
from app.access.person import Person
from app.limits.service import Rate, RateLimited, take

AFTER = "validation"
BATCH = 10
MOST_SUBJECTS = 20_000
MOST_KEPT = 1_000
"""Above it only every second, third ... fingerprint is looked at, told by its own value."""
SUSPENDED = 3

_waiting: OrderedDict[UUID, set[int]] = OrderedDict()


async def before(call: Any) -> None:
    """Raise `SuspendedForNow` or `SlowedDown`; count what is asked."""
    person: Person = call.person
    if person.account is None:
        return  # the app asks itself: evaluations, shadows
    who, all_of_them = asking(person), organization(person.organization_id)
    settings = AbuseSettings.load()
    limit = settings.prompts_per_key if person.by_key else settings.prompts_per_person
    together = settings.prompts_per_organization
    for subject in held(person):
        await _hold_back(person, subject, Rate(max(20, CALLS), 3600, burst=5))
    await _hold_back(person, all_of_them, Rate(together, 3600, burst=max(10, together // 60)))
    mark = fingerprint(_last_question(call), "abuse prompt")
    if (count := await _counted(who, mark, limit * SUSPENDED)) >= limit:
        too_much = count >= limit * SUSPENDED and can_be_suspended(person)
        measure = "suspend" if too_much else "slow"
        await see(Seen("extraction", who, count, limit, measure, "model"))
    if (count := await _counted(all_of_them, mark, together)) >= together:
        await see(Seen("extraction", all_of_them, count, together, "slow", "model"))


async def _hold_back(person: Person, subject: Subject, rate: Rate) -> None:
    found = await in_force.strictest("model", (subject,))
    if found is None:
        return
    if found.measure == "suspend":
        raise suspended(person, found.left)
    try:
        await take(f"slowed model:{subject.key}", rate)
    except RateLimited as refusal:
        what = "This key asks" if person.by_key else "You ask"
        if subject.kind == "organization":
            what = "Your organisation asks"
        raise SlowedDown(refusal.retry_after, what=what) from refusal


async def _counted(subject: Subject, mark: int, most: int) -> int:
    """How many different questions there were in this hour, as far as it was looked up; else 0."""
    share = -(-most // MOST_KEPT)
    if mark % share:
        return 0
    waiting = _waiting.setdefault(subject.key, set())
    _waiting.move_to_end(subject.key)
    if len(_waiting) > MOST_SUBJECTS:
        _waiting.popitem(last=False)
    waiting.add(mark)
    if len(waiting) < BATCH:
        return 0
    _waiting.pop(subject.key, None)
    return share * await different(subject, "prompts", sorted(waiting), MOST_KEPT)


def _last_question(call: Any) -> str:
    said = [one.content for one in call.ask.messages if one.role == "user"]
    return " ".join(normalize("NFKC", said[-1] if said else "").casefold().split())
