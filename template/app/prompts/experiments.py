"""A/B tests of a candidate against the live version, and what they tell.

People are assigned, not calls: whoever has the candidate keeps it. Each person counts once, with
their latest thumb, as the thumbs of one person are not independent of each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.db import elevated
from app.core.errors import Conflict, NotFound
from app.core.ids import uuid7
from app.prompts import service
from app.prompts.models import Prompt, PromptExperiment, PromptVersion
from app.prompts.statistics import Interval, difference, p_value, sample_needed, wilson

LEVEL = 0.05
COUNTS = text("""
    WITH calls AS (
        SELECT id, user_id, prompt_version, microdollars FROM usage_records
        WHERE prompt = :name AND prompt_version = ANY (:numbers) AND user_id IS NOT NULL
          AND created_at >= :since AND created_at < :until AND state = 'settled'
    ), votes AS (
        SELECT DISTINCT ON (f.user_id, c.prompt_version) c.prompt_version, f.rating
        FROM feedback f JOIN calls c ON c.id = f.call_id
        ORDER BY f.user_id, c.prompt_version, f.updated_at DESC
    )
    SELECT n.number,
        (SELECT count(*) FROM calls c WHERE c.prompt_version = n.number) AS calls,
        (SELECT count(DISTINCT user_id) FROM calls c WHERE c.prompt_version = n.number) AS people,
        (SELECT coalesce(sum(microdollars), 0) FROM calls c
         WHERE c.prompt_version = n.number) AS microdollars,
        (SELECT count(*) FROM votes v WHERE v.prompt_version = n.number) AS raters,
        (SELECT count(*) FROM votes v
         WHERE v.prompt_version = n.number AND v.rating = 'up') AS ups
    FROM unnest(CAST(:numbers AS int[])) AS n (number)
""")


class NoSuchExperiment(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such experiment.")


class AlreadyRunning(Conflict):
    """One experiment at a time for a prompt, or nobody could tell what made a difference."""


class NothingToCompare(Conflict):
    """The candidate is the live version."""


@dataclass(frozen=True)
class Arm:
    number: int
    calls: int
    people: int
    microdollars: int
    raters: int
    ups: int

    @property
    def share(self) -> Interval:
        """Of people who rated, those whose latest thumb was up."""
        return wilson(self.ups, self.raters)


@dataclass(frozen=True)
class ReadOut:
    experiment: PromptExperiment
    control: Arm
    candidate: Arm
    change: Interval
    p: float
    needed: int
    """People who rate, on each side."""

    @property
    def is_enough(self) -> bool:
        return min(self.control.raters, self.candidate.raters) >= self.needed

    @property
    def sentence(self) -> str:
        """What it means, and what it does not."""
        fewest = min(self.control.raters, self.candidate.raters)
        if not self.is_enough:
            return (
                f"Too early: {fewest} people of the {self.needed} that each side needs have rated."
                " Whoever looks often and stops when it looks good finds differences that are none;"
                " decide when the number is reached, not before."
            )
        if self.p >= LEVEL:
            return (
                "No difference was shown. That is not the same as none: the interval says what is"
                " still possible."
            )
        better = "better" if self.change.value > 0 else "worse"
        return (
            f"The candidate is rated {better}. A difference this large comes about by chance in"
            f" fewer than {max(self.p, 0.001):.1%} of experiments without one."
        )


async def start(
    db: AsyncSession,
    person: Person,
    name: str,
    number: int,
    *,
    percent: int,
    hypothesis: str,
    effect: float,
    reason: str = "",
) -> PromptExperiment:
    """Answer `percent` of the people with a version. They see it, so it needs the release's gate.

    Raises `GateNotPassed`, `AlreadyRunning` or `NothingToCompare`.
    """
    await service.alone_with(db, name)
    overview = await service.prompt(db, name)
    candidate = await service.version(db, overview.prompt.id, number)
    control = await service.version(db, overview.prompt.id, overview.labels["live"])
    if control.id == candidate.id:
        raise NothingToCompare("This version is live already.")
    gate = await service.gate_of(db, person, overview.prompt, candidate, reason)
    made = PromptExperiment(
        id=uuid7(),
        prompt_id=overview.prompt.id,
        control_id=control.id,
        candidate_id=candidate.id,
        percent=percent,
        hypothesis=hypothesis,
        effect=effect,
        started_by=person.user_id,
        ended_because="",
    )
    running = AlreadyRunning("An experiment with this prompt is running; end it first.")
    await service.begin(db, made, running)
    await audit.record(
        db,
        "prompt.experiment_started",
        person=person,
        target=name,
        detail={"experiment": str(made.id), "version": number, "percent": percent, "gate": gate},
    )
    return made


async def end(db: AsyncSession, person: Person, experiment_id: UUID, why: str) -> None:
    """The kill switch: within a second everyone is answered with the live version again."""
    found = await one(db, experiment_id)
    if await service.end(db, PromptExperiment, experiment_id, why):
        name = await db.scalar(select(Prompt.name).where(Prompt.id == found.prompt_id))
        await audit.record(
            db,
            "prompt.experiment_ended",
            person=person,
            target=name,
            detail={"experiment": str(experiment_id)},
        )


async def one(db: AsyncSession, experiment_id: UUID) -> PromptExperiment:
    found = await db.get(PromptExperiment, experiment_id)
    if found is None:
        raise NoSuchExperiment
    return found


async def experiments(db: AsyncSession, prompt_id: UUID) -> Sequence[PromptExperiment]:
    """The latest first."""
    query = select(PromptExperiment).where(PromptExperiment.prompt_id == prompt_id)
    return (await db.scalars(query.order_by(PromptExperiment.id.desc()).limit(20))).all()


async def read_out(db: AsyncSession, experiment_id: UUID) -> ReadOut:
    """What the thumbs of all organisations say so far."""
    found = await one(db, experiment_id)
    rows = await db.execute(
        select(PromptVersion.id, PromptVersion.number, Prompt.name)
        .join(Prompt, Prompt.id == PromptVersion.prompt_id)
        .where(PromptVersion.id.in_([found.control_id, found.candidate_id]))
    )
    numbers, name = {}, ""
    for version_id, number, name in rows:  # noqa: B007 the last name is the only one
        numbers[version_id] = number
    order = [numbers[found.control_id], numbers[found.candidate_id]]
    async with elevated(db):
        counted = await db.execute(
            COUNTS,
            {
                "name": name,
                "numbers": order,
                "since": found.created_at,
                "until": found.ended_at or now(),
            },
        )
        arms = {row.number: Arm(*row) for row in counted}
    a, b = arms[order[0]], arms[order[1]]
    return ReadOut(
        experiment=found,
        control=a,
        candidate=b,
        change=difference(a.ups, a.raters, b.ups, b.raters),
        p=p_value(a.ups, a.raters, b.ups, b.raters),
        # At a half most people are needed, and the number must not move while people are counted.
        needed=sample_needed(0.5, found.effect),
    )
