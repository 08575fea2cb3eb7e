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
    assert again.exit_code == 0
    assert "sample.hopeless" not in runner.invoke(commands, ["list"]).output

    unknown = runner.invoke(commands, ["retry", str(uuid4().int % 10**12 + 10**12)])
    assert unknown.exit_code == 2
    assert "No failed job" in unknown.output

    assert runner.invoke(commands, ["retry"]).exit_code == 2
    asyncio.run(run_until_empty_and_close())


async def clear() -> None:
    async with db.transaction() as session:
        await session.execute(text("DELETE FROM procrastinate_jobs"))
    await db.close()


async def run_until_empty_and_close() -> None:
    await run_until_empty(QUEUE)
    await db.close()
