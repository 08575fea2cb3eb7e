"""Runs: start, keep, look at, compare. Written as app_auth, read by those who run the app."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.db import elevated
from app.core.errors import NotFound
from app.core.ids import uuid7
from app.evals import gate
from app.evals.models import EvalResult, EvalRun
from app.evals.running import Report
from app.evals.settings import EvalsSettings
from app.jobs.queue import enqueue
from app.llm.port import Provider
from app.prompts import service as prompts
from app.prompts.models import PromptVersion
from app.prompts.statistics import Interval, paired_difference, wilson

READ_HELD_OUT = "evals.read_held_out"
LONGEST = timedelta(days=2)
"""No run waits or takes longer, unless its process died."""


class NoSuchRun(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such evaluation.")


@dataclass(frozen=True)
class Compared:
    """Two runs of the same cases."""

    both: int
    better: list[tuple[str, str]]
    worse: list[tuple[str, str]]
    change: Interval | None


async def ask_for(db: AsyncSession, person: Person, name: str, number: int) -> EvalRun:
    """Let a job evaluate a version."""
    found = (await prompts.prompt(db, name)).prompt
    await prompts.version(db, found.id, number)
    async with elevated(db):
        made = new_run(name, number)
        made.started_by = person.user_id
        db.add(made)
        await db.flush()
    # Nobody evaluates one version twice at once.
    await enqueue(db, "evals.run", run_id=made.id, lock=f"evals {name} {number}")
    await audit.record(
        db,
        "evaluation.started",
        person=person,
        target=made.id,
        detail={"prompt": name, "version": number},
    )
    return made


def new_run(name: str, number: int) -> EvalRun:
    return EvalRun(
        id=uuid7(),
        prompt=name,
        prompt_version=number,
        provider="",
        model="",
        stand_in=False,
        judge={},
        guards={},
        commit="",
        suites={},
        state="waiting",
        complete=False,
        passed=False,
        verdicts=[],
        microdollars=0,
    )


def results_of(run: EvalRun, report: Report) -> list[EvalResult]:
    """Rows for what came of each case."""
    return [
        EvalResult(
            id=uuid7(),
            run_id=run.id,
            suite=one.suite,
            case_id=one.case.id,
            split=one.case.split,
            tags=one.case.tags,
            state=one.state,
            checks=[asdict(check) for check in one.checks],
            outcome=one.outcome,
            question=one.case.input,
            answer=one.answer,
            milliseconds=one.milliseconds,
        )
        for one in report.results
    ]


async def runs(
    db: AsyncSession, *, name: str = "", number: int | None = None, limit: int = 50
) -> Sequence[EvalRun]:
    """The latest runs first."""
    query = select(EvalRun).order_by(EvalRun.id.desc()).limit(limit)
    if name:
        query = query.where(EvalRun.prompt == name)
    if number is not None:
        query = query.where(EvalRun.prompt_version == number)
    return (await db.scalars(query)).all()


async def run(db: AsyncSession, run_id: UUID) -> EvalRun:
    found = await db.get(EvalRun, run_id)
    if found is None:
        raise NoSuchRun
    return found


async def results(db: AsyncSession, run_id: UUID) -> Sequence[EvalResult]:
    """By suite and case."""
    query = select(EvalResult).where(EvalResult.run_id == run_id)
    return (await db.scalars(query.order_by(EvalResult.suite, EvalResult.case_id))).all()


@dataclass(frozen=True)
class Shown:
    """What one person may see of a result."""

    suite: str
    case_id: str | None
    split: str
    state: str
    outcome: str | None
    question: str | None
    answer: str | None
    checks: list[dict[str, Any]] | None
    milliseconds: int


async def readable(db: AsyncSession, person: Person, of: EvalRun) -> list[Shown]:
    """The results of a run, without the words of cases that are held out from this person."""
    found = await results(db, of.id)
    all_of_it = await may_read_held_out(db, person, of)
    if all_of_it and any(one.split == "held-out" for one in found):
        await audit.record(db, "evaluation.held_out_read", person=person, target=of.id)
    return [_shown(one, whole=all_of_it or one.split == "open") for one in found]


def _shown(one: EvalResult, *, whole: bool) -> Shown:
    return Shown(
        suite=one.suite,
        case_id=one.case_id if whole else None,
        split=one.split,
        state=one.state,
        outcome=one.outcome if whole else None,
        question=one.question if whole else None,
        answer=one.answer if whole else None,
        checks=one.checks if whole else None,
        milliseconds=one.milliseconds,
    )


async def open_cases(db: AsyncSession, run_id: UUID) -> set[tuple[str, str]]:
    return {(one.suite, one.case_id) for one in await results(db, run_id) if one.split == "open"}


async def may_read_held_out(db: AsyncSession, person: Person, of: EvalRun) -> bool:
    """Whoever has written a version of this prompt does not see what it is judged by."""
    if READ_HELD_OUT not in person.permissions:
        return False
    found = (await prompts.prompt(db, of.prompt)).prompt
    wrote = await db.scalar(
        select(PromptVersion.id)
        .where(PromptVersion.prompt_id == found.id, PromptVersion.author_id == person.user_id)
        .limit(1)
    )
    return wrote is None


async def latest(db: AsyncSession, name: str, number: int, provider: Provider) -> EvalRun | None:
    """The newest complete run of a version with the model that answers now."""
    since = now() - timedelta(days=EvalsSettings.load().gate_days)
    return await db.scalar(
        select(EvalRun)
        .where(EvalRun.prompt == name, EvalRun.prompt_version == number)
        .where(EvalRun.provider == provider.name, EvalRun.model == provider.model)
        .where(EvalRun.state == "finished", EvalRun.complete, EvalRun.finished_at > since)
        .order_by(EvalRun.id.desc())
        .limit(1)
    )


async def states(db: AsyncSession, run_id: UUID | None) -> dict[tuple[str, str], str]:
    """What came of each case, by suite and id."""
    rows = await db.execute(
        select(EvalResult.suite, EvalResult.case_id, EvalResult.state).where(
            EvalResult.run_id == run_id
        )
    )
    return {(row.suite, row.case_id): row.state for row in rows}


async def compare(db: AsyncSession, before: UUID, after: UUID) -> Compared:
    """What became better and worse from one run to another, in the cases that both have."""
    await run(db, before)
    await run(db, after)
    one, other = await states(db, before), await states(db, after)
    both = [case for case in one if one[case] in gate.COUNTED and other.get(case) in gate.COUNTED]
    passed = [[of[case] == "passed" for case in both] for of in (one, other)]
    return Compared(
        both=len(both),
        better=sorted(case for case in both if (one[case], other[case]) == ("failed", "passed")),
        worse=sorted(case for case in both if (one[case], other[case]) == ("passed", "failed")),
        change=paired_difference(*passed) if both else None,
    )


def shares(found: Sequence[EvalResult]) -> dict[str, Interval]:
    """The share that passed, of cases that are open and of those held out."""
    counted = [one for one in found if one.state in gate.COUNTED]
    of = {split: [one for one in counted if one.split == split] for split in ("open", "held-out")}
    return {
        split: wilson(sum(one.state == "passed" for one in some), len(some))
        for split, some in of.items()
        if some
    }


async def forget_old(db: AsyncSession) -> None:
    """As app_auth. A run whose process died is told to have ended, too."""
    limit = now() - timedelta(days=EvalsSettings.load().retention_days)
    await db.execute(delete(EvalRun).where(EvalRun.created_at < limit))
    await db.execute(
        update(EvalRun)
        .where(EvalRun.state.in_(("waiting", "running")), EvalRun.created_at < now() - LONGEST)
        .values(state="failed", verdicts=["It broke off."], finished_at=now())
    )
