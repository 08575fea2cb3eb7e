"""`app usage`: how much organisations may use at most, when nobody can sign in."""

import asyncio
from decimal import Decimal
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app.core import db as database
from app.core.errors import Problem
from app.usage import ceilings
from app.usage.budgets import LIMITS, said
from app.usage.settings import LARGEST
from app.users.models import Organization

commands = typer.Typer(help="What organisations may use at most.", no_args_is_help=True)

DEFAULT = "settings"
Amount = Annotated[
    str | None,
    typer.Option(help=f"A number, or `{DEFAULT}`: what the settings say. Left out: as it was."),
]


@commands.command("ceilings")
def list_ceilings(
    search: Annotated[str, typer.Option(help="A text in the name or slug.")] = "",
    most: Annotated[int, typer.Option(min=1, max=1000, help="So many.")] = 50,
) -> None:
    """What organisations spent this month and may spend at most, the dearest first."""
    found = asyncio.run(_listed(search, most))
    if not found:
        where = "has that in its name or slug" if search else "exists yet"
        Console().print(f"No organisation {where}.")
        return
    table = Table("Organisation", "Spent", "Own budget", "Ceiling of a month", "Other ceilings")
    for one in found:
        others = [f"{name} {amount:,}" for name, amount in one.given.items() if amount is not None]
        table.add_row(
            one.slug,
            said(ceilings.MONTH, one.spent),
            _or(one.own[ceilings.MONTH], "–"),
            _or(one.ceilings[ceilings.MONTH], "no limit"),
            ", ".join(other for other in others if not other.startswith(ceilings.MONTH)),
        )
    Console().print(table)


@commands.command("ceiling")
def set_ceiling(
    organization: Annotated[str, typer.Argument(help="Its slug, as `app usage ceilings` lists.")],
    dollars_per_month: Amount = None,
    calls_per_hour: Amount = None,
    calls_per_day: Amount = None,
    tokens_per_hour: Amount = None,
    tokens_per_day: Amount = None,
) -> None:
    """Set the most that an organisation may use; 0 stops its next call."""
    wanted = {
        "calls_per_hour": calls_per_hour,
        "calls_per_day": calls_per_day,
        "tokens_per_hour": tokens_per_hour,
        "tokens_per_day": tokens_per_day,
        ceilings.MONTH: dollars_per_month,
    }
    amounts = {name: _amount(name, given) for name, given in wanted.items() if given is not None}
    if not amounts:
        raise typer.BadParameter("Say which ceiling.")
    try:
        asyncio.run(_give(organization, amounts))
    except Problem as problem:
        raise typer.BadParameter(problem.detail) from None
    Console().print("The ceilings hold from the next call on.")


def _amount(name: str, given: str) -> int | None:
    if given == DEFAULT:
        return None
    dollars = name == ceilings.MONTH
    try:
        number = Decimal(given) * (1_000_000 if dollars else 1)
        whole = 0 <= number <= LARGEST and number == int(number)
    except ArithmeticError:
        whole = False
    if not whole:
        what = "dollars with six places at most" if dollars else "a whole number"
        raise typer.BadParameter(f"{given!r} is no amount: {what}, or {DEFAULT}.")
    return int(number)


def _or(amount: int | None, otherwise: str) -> str:
    return otherwise if amount is None else said(ceilings.MONTH, amount)


async def _listed(search: str, most: int) -> list[ceilings.Bounded]:
    try:
        async with database.transaction(elevated=True) as db:
            return list((await ceilings.page(db, search=search, limit=most)).rows)
    finally:
        await database.close()


async def _give(slug: str, amounts: dict[str, int | None]) -> None:
    try:
        async with database.transaction(elevated=True) as db:
            found = await db.scalar(select(Organization.id).where(Organization.slug == slug))
            if found is None:
                raise ceilings.NoSuchOrganization
            before = await ceilings.one(db, found)
            given = {name: amounts.get(name, before.given[name]) for name in LIMITS}
            await ceilings.give(db, found, given, seen=before.seen)
    finally:
        await database.close()
