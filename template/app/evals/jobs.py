import asyncio
from datetime import timedelta
from uuid import UUID

from app.core.db import transaction
from app.core.errors import CannotStart, Problem
from app.evals import cheaper, service, work
from app.jobs.queue import GiveUp, attempt, every, task
from app.prompts.lifespan import ready

LONGEST = timedelta(hours=2)
TOO_LONG = "It took too long: more cases at once (EVALS_AT_ONCE), or a faster model, end in time."


@task("evals.run", retries=1, timeout=LONGEST.total_seconds() + 60)
async def run(run_id: UUID) -> None:
    """Evaluate a version that someone asked for."""
    limit = asyncio.timeout(LONGEST.total_seconds())
    try:
        async with limit:
            await work.evaluate(run_id)
    except (CannotStart, Problem) as error:
        await work.failed(run_id, str(error)[:500])
        raise GiveUp(str(error)) from error
    except Exception as error:
        if limit.expired():  # Once more would take, and cost, as much again.
            await work.failed(run_id, TOO_LONG)
            raise GiveUp(TOO_LONG) from error
        if attempt.get().last:
            await work.failed(run_id, "It broke off; the log of the worker says why.")
        raise


@task("evals.models", retries=0, timeout=4 * 3600)
async def models(name: str) -> None:
    """Evaluate the cheaper models with the live version of a prompt."""
    await ready()
    try:
        await cheaper.evaluate(name)
    except (CannotStart, Problem) as error:
        raise GiveUp(str(error)) from error


@every("43 3 * * *")
@task("evals.forget_old", retries=0)
async def forget_old() -> None:
    """Delete runs that are older than they are kept."""
    async with transaction(elevated=True) as db:
        await service.forget_old(db)
