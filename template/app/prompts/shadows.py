"""Start a shadow, end it, and say what it would have been like."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Float, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.errors import Conflict, NotFound
from app.core.ids import uuid7
from app.prompts import service
from app.prompts.models import Prompt, PromptShadow, PromptShadowAnswer, PromptVersion
from app.prompts.shadowing import FEATURE
from app.usage.models import UsageRecord


class NoSuchShadow(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such shadow.")


class ShadowRunning(Conflict):
    """One shadow at a time for a prompt."""


@dataclass(frozen=True)
class ShadowNumbers:
    """What came of it so far."""

    shadow: PromptShadow
    version: int
    answers: int
    answered: int
    stopped: int
    """Refused or withheld by a guard."""
    similarity: float | None
    shown_words: float | None
    words: float | None
    microdollars: int


async def start(
    db: AsyncSession,
    person: Person,
    name: str,
    number: int,
    *,
    percent: int,
    microdollars_per_day: int,
) -> PromptShadow:
    """Ask a version as well, for `percent` of the answers. Nobody sees it, so it needs no gate."""
    found = (await service.prompt(db, name)).prompt
    candidate = await service.version(db, found.id, number)
    made = PromptShadow(
        id=uuid7(),
        prompt_id=found.id,
        candidate_id=candidate.id,
        percent=percent,
        microdollars_per_day=microdollars_per_day,
        started_by=person.user_id,
        ended_because="",
    )
    running = ShadowRunning("A shadow of this prompt is running; end it first.")
    await service.begin(db, made, running)
    await audit.record(
        db,
        "prompt.shadow_started",
        person=person,
        target=name,
        detail={"shadow": str(made.id), "version": number, "percent": percent},
    )
    return made


async def end(db: AsyncSession, person: Person, shadow_id: UUID, why: str) -> None:
    """Within a second nothing more is asked."""
    found = await db.get(PromptShadow, shadow_id)
    if found is None:
        raise NoSuchShadow
    if not await service.end(db, PromptShadow, shadow_id, why):
        return
    name = await db.scalar(select(Prompt.name).where(Prompt.id == found.prompt_id))
    await audit.record(
        db,
        "prompt.shadow_ended",
        person=person,
        target=name,
        detail={"shadow": str(shadow_id)},
    )


async def numbers(db: AsyncSession, prompt_id: UUID) -> Sequence[ShadowNumbers]:
    """Of the latest shadows of a prompt, the latest first."""
    answer = PromptShadowAnswer
    # By the ledger: what a guard withheld was paid for as well.
    paid = (
        select(func.coalesce(func.sum(UsageRecord.microdollars), 0))
        .where(UsageRecord.feature == FEATURE, UsageRecord.prompt == Prompt.name)
        .where(UsageRecord.prompt_version == PromptVersion.number)
        .where(UsageRecord.created_at >= PromptShadow.created_at)
        .where(UsageRecord.created_at < func.coalesce(PromptShadow.ended_at, text("'infinity'")))
        .correlate(Prompt, PromptShadow, PromptVersion)
        .scalar_subquery()
    )
    rows = await db.execute(
        select(
            PromptShadow,
            PromptVersion.number,
            func.count(answer.id),
            func.count(answer.id).filter(answer.outcome == "answered"),
            func.count(answer.id).filter(answer.outcome.in_(("refused", "withheld"))),
            func.avg(answer.similarity),
            cast(func.avg(answer.shown_words).filter(answer.outcome == "answered"), Float),
            cast(func.avg(answer.words).filter(answer.outcome == "answered"), Float),
            paid,
        )
        .join(PromptVersion, PromptVersion.id == PromptShadow.candidate_id)
        .join(Prompt, Prompt.id == PromptShadow.prompt_id)
        .outerjoin(answer, answer.shadow_id == PromptShadow.id)
        .where(PromptShadow.prompt_id == prompt_id)
        .group_by(PromptShadow.id, PromptVersion.number, Prompt.name)
        .order_by(PromptShadow.id.desc())
        .limit(10)
    )
    return [ShadowNumbers(*row) for row in rows]
