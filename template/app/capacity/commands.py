"""`app capacity`."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.capacity import planning
from app.core.settings import answers

commands = typer.Typer(help="How much of everything so many people need.", no_args_is_help=True)

Result = Annotated[
    Path | None, typer.Option(help="What `make load` wrote.", exists=True, dir_okay=False)
]
MOST_PEOPLE = 1_000_000_000


@commands.command("plan")
def show_plan(
    people: Annotated[
        int, typer.Option(min=0, max=MOST_PEOPLE, help="At once; 0: as answered.")
    ] = 0,
    result: Result = None,
) -> None:
    """Recompute processes, connections and cost, from the answers and a load test."""
    from app.llm.settings import LLMSettings
    from app.usage.prices import price_of

    given, llm = answers(), LLMSettings.load()
    price = price_of(llm.chosen, llm.model)
    dollars = price.cost(planning.INPUT_TOKENS, planning.OUTPUT_TOKENS) / 1_000_000
    try:
        measured = planning.Measured.read(json.loads(result.read_text("utf-8"))) if result else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    found = planning.plan(
        people or int(given["users"]["people_at_peak"]),
        calls_per_hour=float(given["llm"]["calls_per_person_per_hour"]),
        dollars_per_call=dollars,
        budget=float(given["llm"]["monthly_budget"]),
        measured=measured,
    )
    table = Table("What", "How much", title=f"{found.people} people at once, planned for twice")
    for name, value in (
        ("requests a second", f"{found.requests_per_second:.1f}"),
        ("answers of models a second", f"{found.answers_per_second:.2f}"),
        ("answers under way", str(found.streams)),
        ("cores that are busy", f"{found.cores:.2f}"),
        ("web processes (APP_REPLICAS)", str(found.processes)),
        ("DATABASE_POOL_SIZE", str(found.pool_size)),
        ("workers (WORKER_REPLICAS)", str(found.workers)),
        ("connections to the database", str(found.connections)),
        ("models, dollars a month", f"{found.dollars_per_month:,.0f} of {found.budget:,.0f}"),
    ):
        table.add_row(name, value)
    console = Console()
    console.print(table)
    basis = "the load test" if measured else "another machine's figures: measure with `make load`"
    console.print(f"Estimates, from your answers and {basis}.")
    problems = list(found.problems)
    if measured and not measured.passed:
        problems.append("The load test did not pass: the service levels did not hold.")
    if measured and measured.cpu_seconds_per_second is None:
        problems.append(
            "It did not measure the processor (METRICS_URL): cores and processes are another"
            " machine's figures."
        )
    for one in problems:
        console.print(f"[yellow]{one}[/]")


@commands.command("people")
def make_people(count: Annotated[int, typer.Argument(min=1, max=10_000)]) -> None:
    """Make people for a load test; writes a session and its CSRF token in each line."""
    from app.capacity import people
    from app.core import db

    async def run() -> list[tuple[str, str]]:
        try:
            return await people.make(count)
        finally:
            await db.close()

    for session, csrf in asyncio.run(run()):
        typer.echo(f"{session},{csrf}")
