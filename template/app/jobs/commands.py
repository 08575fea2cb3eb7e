"""`app jobs`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import db as database
from app.core.errors import Problem
from app.jobs import service

commands = typer.Typer(help="Background jobs.", no_args_is_help=True)

T = TypeVar("T")


@commands.command("list")
def list_failed() -> None:
    """Show the jobs that failed for good."""

    async def read(db: AsyncSession) -> tuple[dict[str, int], list[service.FailedJob]]:
        return await service.counts(db), await service.failed(db)

    counts, failed = _in_transaction(read)
    console = Console()
    console.print(f"{counts['todo']} waiting, {counts['doing']} running, {counts['failed']} failed")
    if not failed:
        return
    table = Table("Job", "Name", "Tries", "Arguments", "Failed at")
    for job in failed:
        when = f"{job.failed_at:%Y-%m-%d %H:%M:%S} UTC" if job.failed_at else ""
        table.add_row(str(job.id), job.name, str(job.attempts), str(job.arguments), when)
    console.print(table)


@commands.command()
def retry(
    job_ids: Annotated[list[int] | None, typer.Argument(help="Numbers of failed jobs.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that failed.")] = False,
) -> None:
    """Run failed jobs again."""
    if not job_ids and not everything:
        raise typer.BadParameter("Name jobs, or say --all.")

    async def again(db: AsyncSession) -> tuple[int, int]:
        if everything:
            return await service.retry_all(db)
        for job_id in job_ids or []:
            await service.retry(db, job_id)
        return len(job_ids or []), 0

    try:
        count, waiting = _in_transaction(again)
    except Problem as problem:
        raise typer.BadParameter(problem.detail) from problem
    told = f"{count} {'job' if count == 1 else 'jobs'} will run again."
    if waiting:
        told += f" {waiting} {'stays' if waiting == 1 else 'stay'}: the same waits already."
    typer.echo(told)


def _in_transaction(act: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def run() -> T:
        try:
            async with database.transaction() as db:
                return await act(db)
        finally:
            await database.close()

    return asyncio.run(run())
