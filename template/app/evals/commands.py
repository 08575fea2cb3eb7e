"""`app evals`: run the suites where people and CI are."""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from app.core import db as database
from app.core.db import transaction
from app.core.errors import CannotStart, Problem
from app.evals import cheaper, service, work
from app.evals.models import EvalRun
from app.evals.running import Result
from app.prompts import service as prompts
from app.prompts.lifespan import ready
from app.prompts.statistics import wilson
from app.usage.prices import MILLION

commands = typer.Typer(help="Evaluate prompts.", no_args_is_help=True)
out = Console()
LARGEST = 2**31 - 1
"""What the database can keep as a version."""
STAND_IN = (
    "The stand-in answered, which is no model: this shows that the cases can be run, that guards"
    " stop what they should, and that passages reach the answer. It says nothing of how a model"
    " answers."
)


@commands.command("run")
def run(
    prompt: Annotated[str, typer.Option(help="Its name.")] = "assistant.system",
    version: Annotated[int, typer.Option(min=0, max=LARGEST, help="0: the newest one.")] = 0,
    suite: Annotated[list[str] | None, typer.Option(help="Only these; repeat it.")] = None,
) -> None:
    """Run the suites of a prompt and keep what came of it. Ends with 1 when it does not pass."""
    try:
        done, broken = asyncio.run(_run(prompt, version, suite or []))
    except (Problem, CannotStart) as problem:
        out.print(f"[red]{problem}[/]")
        raise typer.Exit(2) from problem
    _show(done, broken)
    if not done.passed:
        raise typer.Exit(1)


async def _run(name: str, number: int, only: list[str]) -> tuple[EvalRun, list[Result]]:
    broken: list[Result] = []

    def told(result: Result) -> None:
        if result.state in {"failed", "error"}:
            broken.append(result)

    try:
        await ready()
        async with transaction(elevated=True) as db:
            overview = await prompts.prompt(db, name)
            made = service.new_run(name, number or overview.newest)
            db.add(made)
        try:
            return await work.evaluate(made.id, only, told), broken
        except (Problem, CannotStart) as error:
            await work.failed(made.id, str(error)[:500])
            raise
    finally:
        await database.close()


def _show(done: EvalRun, broken: list[Result]) -> None:
    table = Table("Suite", "Passed", "95 %", "Floor", "Skipped", "Broken")
    for name, one in done.suites.items():
        counted = one["passed"] + one["failed"]
        share = wilson(one["passed"], counted)
        span = f"{share.low:.0%} to {share.high:.0%}" if counted else "–"
        floor, skipped = f"{one['floor']:.0%}", f"{one['skipped']}"
        table.add_row(name, f"{one['passed']}/{counted}", span, floor, skipped, f"{one['error']}")
    out.print(table)
    for result in broken:
        if result.case.split == "open":
            out.print(f"  {result.suite}/{result.case.id}: {_why(result)}", markup=False)
    if hidden := sum(one.case.split == "held-out" for one in broken):
        out.print(f"  and {hidden} that are held out")
    out.print(f"{done.prompt} version {done.prompt_version} with {done.model}: run {done.id}")
    if done.stand_in:
        out.print(f"[yellow]{STAND_IN}[/]")
    for sentence in done.verdicts:
        out.print(f"[red]{sentence}[/]")
    out.print("[green]Passed.[/]" if done.passed else "[red]Not passed.[/]")


def _why(result: Result) -> str:
    missed = [f"{one.name} {one.detail}".strip() for one in result.checks if one.holds is False]
    return "; ".join(missed) or result.outcome


@commands.command("models")
def models(
    prompt: Annotated[str, typer.Option(help="Its name.")] = "assistant.system",
) -> None:
    """Would a cheaper model pass? Runs the suites with the live version on each of them."""
    try:
        found = asyncio.run(_models(prompt))
    except (Problem, CannotStart) as problem:
        out.print(f"[red]{problem}[/]")
        raise typer.Exit(2) from problem
    table = Table("Model", "Would do", "Passed", "95 %", "1,000 typical calls", "Its run")
    for one in found:
        span = f"{one.share.low:.0%} to {one.share.high:.0%}" if one.share else "–"
        does = "answers now" if one.is_usual else ("yes" if one.would_do else "no")
        costs = [f"${one.microdollars / MILLION:.2f}"]
        costs.append(f"${one.run.microdollars / MILLION:.2f}" if one.run else "–")
        table.add_row(one.model, does, f"{one.passed}/{one.counted}", span, *costs)
    out.print(table)
    if len(found) < 2:
        out.print("No cheaper model is known. Name some in EVALS_MODELS.")
    for one in found:
        for sentence in one.run.verdicts if one.run else ():
            out.print(f"{one.model}: {sentence}", markup=False)


async def _models(name: str) -> Sequence[cheaper.Line]:
    try:
        await ready()
        return await cheaper.evaluate(name, lambda model: out.print(f"Asking {model} ..."))
    finally:
        await database.close()


@commands.command("compare")
def compare(
    before: Annotated[UUID, typer.Argument(help="A run.")],
    after: Annotated[UUID, typer.Argument(help="The one to compare with it.")],
) -> None:
    """What became better and worse. Ends with 1 when the second run is surely worse."""
    try:
        found = asyncio.run(_compare(before, after))
    except Problem as problem:
        out.print(f"[red]{problem.detail}[/]")
        raise typer.Exit(2) from problem
    for word, cases in (("better", found.better), ("worse", found.worse)):
        for suite, case in cases:
            out.print(f"  {word}: {suite}/{case}")
    if found.change is None:
        out.print("The runs have no case in common that both counted.")
        return
    change = found.change
    out.print(
        f"{found.both} cases in common: {change.value:+.1%}"
        f" ({change.low:+.1%} to {change.high:+.1%}, Newcombe, 95 %)"
    )
    if change.high < 0:
        raise typer.Exit(1)


async def _compare(before: UUID, after: UUID) -> service.Compared:
    try:
        async with transaction(elevated=True) as db:
            return await service.compare(db, before, after)
    finally:
        await database.close()
