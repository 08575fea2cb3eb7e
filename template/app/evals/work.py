"""One run from its row to its verdict: what the job and the command line share."""

import os
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.clock import now
from app.core.db import transaction
from app.core.settings import ROOT
from app.evals import gate, running, service
from app.evals.cases import Suite, named, suites
from app.evals.judge import Judge
from app.evals.models import EvalRun
from app.evals.running import Result, Subject
from app.guardrails import chain
from app.llm.steps import routing
from app.prompts import files, registry
from app.prompts import service as prompts
from app.prompts.lifespan import ready
from app.users import operators
from app.users import service as users

COMMITS = ("GIT_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA")


async def evaluate(
    run_id: UUID,
    only: Sequence[str] = (),
    told: Callable[[Result], None] = lambda result: None,
    *,
    model: str = "",
) -> EvalRun:
    """Run a waiting evaluation to its verdict. A failed one says why in its row, too.

    With a `model` it answers instead of the usual one, whose latest run it is compared with.
    """
    await ready()
    async with transaction(elevated=True) as db:
        run = await service.run(db, run_id)
        if run.state == "finished":
            return run  # A worker died before it could say so.
        run.state = "running"
        organization = (await users.the_organization(db)).id
        subject = await _subject(db, run)
    usual = routing.provider()
    provider = routing.of_model(model) if model else usual
    person = operators.machine(organization)
    known = suites(prompt=run.prompt)
    chosen = named(known, only)
    judge = Judge(person)
    if _has_rubric(chosen) and not provider.stand_in:
        await judge.calibrate()
    report = await running.run(
        person, subject, chosen, judge, stand_in=provider.stand_in, told=told, model=model
    )
    async with transaction(elevated=True) as db:
        run = await service.run(db, run_id)
        run.provider, run.model, run.stand_in = provider.name, provider.model, provider.stand_in
        run.judge, run.guards, run.commit = judge.told(), dict(chain.versions()), commit()
        run.suites = gate.summary(chosen, report.results)
        run.microdollars = report.microdollars
        run.complete = not report.ended_early and len(chosen) == len(known) > 0
        live = registry.live(run.prompt).number
        before = await service.latest(db, run.prompt, live, usual)
        found = gate.verdicts(
            chosen, report.results, await service.states(db, before.id if before else None)
        )
        run.verdicts = [report.ended_early] * bool(report.ended_early) + found
        run.passed = not run.verdicts
        run.state, run.finished_at = "finished", now()
        db.add_all(service.results_of(run, report))
        await db.flush()
        await audit.record(
            db,
            "evaluation.finished",
            organization_id=organization,
            user_id=run.started_by,
            target=run.id,
            detail={
                "prompt": run.prompt,
                "version": run.prompt_version,
                "passed": run.passed,
                "complete": run.complete,
            },
        )
    return run


async def failed(run_id: UUID, why: str) -> None:
    """Say in the row that it will never be finished."""
    async with transaction(elevated=True) as db:
        run = await service.run(db, run_id)
        if run.state != "finished":
            run.state, run.verdicts, run.finished_at = "failed", [why], now()


async def _subject(db: AsyncSession, run: EvalRun) -> Subject:
    overview = await prompts.prompt(db, run.prompt)
    one = await prompts.version(db, overview.prompt.id, run.prompt_version)
    return Subject(run.prompt, one.number, one.text, one.variables, files.shape(run.prompt))


def _has_rubric(chosen: Sequence[Suite]) -> bool:
    return any(case.expect.rubric for suite in chosen for case in suite.cases)


def commit() -> str:
    """Which code ran, as far as the environment or the working copy tells."""
    for name in COMMITS:
        if found := os.environ.get(name):
            return found[:64]
    head = ROOT / ".git" / "HEAD"
    if not head.is_file():
        return ""
    told = head.read_text(encoding="utf-8").strip()
    if not told.startswith("ref: "):
        return told[:64]
    reference = ROOT / ".git" / told.removeprefix("ref: ")
    return reference.read_text(encoding="utf-8").strip()[:64] if reference.is_file() else ""
