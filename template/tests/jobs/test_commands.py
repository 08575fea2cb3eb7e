import asyncio
import re
from uuid import uuid4

from sqlalchemy import text
from typer.testing import CliRunner

from app.core import db
from app.jobs.commands import commands
from app.jobs.queue import enqueue, run_until_empty
from tests.jobs.sample_jobs import QUEUE


async def fail_one() -> int:
    async with db.transaction() as session:
        job_id = await enqueue(session, "sample.hopeless", path="/dev/null")
    await run_until_empty(QUEUE)
    await db.close()
    assert job_id
    return job_id


def test_failed_jobs_are_listed_and_run_again(database):
    asyncio.run(clear())
    job_id = asyncio.run(fail_one())
    runner = CliRunner(env={"COLUMNS": "200"})

    listed = runner.invoke(commands, ["list"])
    assert listed.exit_code == 0
    assert re.search(rf"\b{job_id}\b.*sample\.hopeless", listed.output)

    again = runner.invoke(commands, ["retry", str(job_id)])
    assert (again.exit_code, again.output) == (0, "1 job will run again.\n")
    assert "sample.hopeless" not in runner.invoke(commands, ["list"]).output

    unknown = runner.invoke(commands, ["retry", str(uuid4().int % 10**12 + 10**12)])
    assert unknown.exit_code == 2
    assert "No failed job" in unknown.output

    assert runner.invoke(commands, ["retry"]).exit_code == 2
    asyncio.run(run_until_empty_and_close())


def test_all_that_failed_runs_again_also_what_waits_already_or_is_past_the_first_hundred(database):
    """Two failures of one job by the clock: only one of them can wait again."""
    asyncio.run(clear())
    asyncio.run(fail_many(130, queueing_lock="by the clock", of_them=2))
    runner = CliRunner(env={"COLUMNS": "200"})

    again = runner.invoke(commands, ["retry", "--all"])
    assert (again.exit_code, again.output) == (
        0,
        "129 jobs will run again. 1 stays: the same waits already.\n",
    )
    assert asyncio.run(states()) == {"todo": 129, "failed": 1}

    again = runner.invoke(commands, ["retry", "--all"])
    assert (again.exit_code, again.output.startswith("0 jobs will run again.")) == (0, True)

    # A job that is named is told.
    left = re.search(r"│ (\d+) ", runner.invoke(commands, ["list"]).output)
    assert left
    named = runner.invoke(commands, ["retry", left[1]])
    assert named.exit_code == 2
    assert "waits already" in named.output
    asyncio.run(clear())


async def fail_many(count: int, *, queueing_lock: str, of_them: int) -> None:
    """As workers leave them; those with the lock are the oldest."""
    insert = text(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, queueing_lock, args)"
        " SELECT :queue, 'sample.note', 'failed',"
        " CASE WHEN n <= :of_them THEN :lock END, '{}' FROM generate_series(1, :count) n"
    )
    values = {"queue": QUEUE, "count": count, "lock": queueing_lock, "of_them": of_them}
    async with db.transaction() as session:
        await session.execute(insert, values)
    await db.close()


async def states() -> dict[str, int]:
    async with db.transaction() as session:
        rows = await session.execute(
            text("SELECT status, count(*) FROM procrastinate_jobs GROUP BY status")
        )
        found = {str(row[0]): int(row[1]) for row in rows}
    await db.close()
    return found


async def clear() -> None:
    async with db.transaction() as session:
        await session.execute(text("DELETE FROM procrastinate_jobs"))
    await db.close()


async def run_until_empty_and_close() -> None:
    await run_until_empty(QUEUE)
    await db.close()
