"""`app prompts`: take a bad prompt back when nobody can sign in, or it must go fast."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.core import db as database
from app.core.errors import Problem
from app.prompts import service

commands = typer.Typer(help="Prompts, and the way back from a bad one.", no_args_is_help=True)


@commands.command("list")
def list_prompts() -> None:
    """Every prompt and the version that people are answered with."""
    table = Table("Prompt", "Live", "Newest", "Purpose")
    for one in asyncio.run(_prompts()):
        live = str(one.labels.get("live", "none"))
        table.add_row(one.prompt.name, live, str(one.newest), one.prompt.purpose)
    Console().print(table)


@commands.command()
def rollback(
    name: Annotated[str, typer.Argument(help="Such as assistant.system.")],
    because: Annotated[str, typer.Option(help="The reason, kept with the move.")],
) -> None:
    """Answer everyone with the version before again."""
    try:
        number = asyncio.run(_roll_back(name, because))
    except Problem as problem:
        raise typer.BadParameter(problem.detail) from None
    Console().print(f"Version {number} of {name} is live. Every process notices within a second.")


async def _prompts() -> list[service.Overview]:
    try:
        async with database.transaction(elevated=True) as db:
            return await service.prompts(db)
    finally:
        await database.close()


async def _roll_back(name: str, because: str) -> int:
    try:
        async with database.transaction(elevated=True) as db:
            return await service.roll_back(db, name, because)
    finally:
        await database.close()
