"""`app flags`: stop a model's feature when nobody can sign in."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from app.core import db as database
from app.core.errors import Problem
from app.flags import service
from app.users.service import the_organization

commands = typer.Typer(help="Feature flags and kill switches.", no_args_is_help=True)


@commands.command("list")
def list_flags() -> None:
    """Every flag and what it is set to."""
    table = Table("Flag", "On", "Share", "Purpose")
    for one in asyncio.run(_flags()):
        on = ("yes" if one.enabled else "no") + ("" if one.is_set else " (not set)")
        table.add_row(one.name, on, f"{one.share} %", one.purpose)
    Console().print(table)


@commands.command("set")
def set_flag(
    name: Annotated[str, typer.Argument(help="Such as model.assistant, or model.all.")],
    value: Annotated[str, typer.Argument(help="on or off")],
    because: Annotated[str, typer.Option(help="The reason, kept with the flag.")],
    share: Annotated[
        int | None, typer.Option(min=0, max=100, help="Per cent of people. Left out: as it was.")
    ] = None,
    off_for: Annotated[
        list[UUID] | None,
        typer.Option(help="Off in this organisation; may come often. Left out: as it was."),
    ] = None,
    off_for_none: Annotated[bool, typer.Option(help="Off in no organisation of its own.")] = False,
    everyone: Annotated[
        bool, typer.Option(help="For all people, roles and organisations it is not off in.")
    ] = False,
) -> None:
    """Switch a flag on or off. Whom it is on for stays as it was, unless it is said."""
    if value not in {"on", "off"}:
        raise typer.BadParameter("Say on or off.")
    not_in = [] if off_for_none else off_for or None
    try:
        asyncio.run(_set(name, value == "on", because, share, not_in, everyone))
    except Problem as problem:
        raise typer.BadParameter(problem.detail) from None
    Console().print(f"{name} is {value}. Every process notices within a second.")


async def _flags() -> list[service.FlagState]:
    try:
        async with database.transaction(elevated=True) as db:
            return await service.flags(db)
    finally:
        await database.close()


async def _set(
    name: str,
    enabled: bool,
    because: str,
    share: int | None,
    off_for: list[UUID] | None,
    everyone: bool,
) -> None:
    try:
        async with database.transaction(elevated=True) as db:
            organization = await the_organization(db)
            before = await service.flag(db, name)
            as_before = 100 if everyone else before.share
            await service.set_flag(
                db,
                name,
                enabled=enabled,
                share=as_before if share is None else share,
                organizations=() if everyone else before.organizations,
                roles=() if everyone else before.roles,
                off_for=off_for,
                reason=because,
                organization_id=organization.id,
            )
    finally:
        await database.close()
