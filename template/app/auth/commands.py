"""`app users`: what must be possible before anyone can sign in."""

import asyncio
from typing import Annotated

import questionary
import typer
from rich import print  # noqa: A004

from app.auth import passwords
from app.auth.models import Password
from app.core import db
from app.core.clock import now
from app.core.errors import Problem
from app.users import service as users
from app.users.models import Role

NAME = "users"
commands = typer.Typer(help="People.")


@commands.callback()
def _group() -> None:
    """People."""


@commands.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(help="Asked for when left out.")] = "",
    name: Annotated[str, typer.Option(help="Asked for when left out.")] = "",
    password: Annotated[
        str, typer.Option(envvar="ADMIN_PASSWORD", help="Better asked for, or by environment.")
    ] = "",
) -> None:
    """Make an administrator, or make an existing person one."""
    email = email or questionary.text("Mail address:").unsafe_ask()
    name = name or questionary.text("Name:").unsafe_ask()
    password = password or questionary.password("Password:").unsafe_ask()
    try:
        made = asyncio.run(_create(email, name, password))
    except Problem as problem:
        print(f"[red]{problem.detail}[/]")
        raise typer.Exit(1) from problem
    print(f"[green]{email} {'is an administrator' if made else 'was made an administrator'}.[/]")


async def _create(email: str, name: str, password: str) -> bool:
    """True for a new person; someone who exists keeps their password."""
    try:
        async with db.transaction(elevated=True) as session:
            known = await users.by_email(session, email)
        if known is None:
            passwords.check(password, email=email, name=name)
            hashed = await passwords.hash_password(password)
        async with db.transaction(elevated=True) as session:
            organization = await users.the_organization(session)
            if known is not None:
                membership = await users.membership(session, known.id, organization.id)
                membership.role = Role.ADMIN
                return False
            user = await users.add(
                session,
                email=email,
                display_name=name,
                organization_id=organization.id,
                role=Role.ADMIN,
            )
            user.activated_at = now()
            session.add(Password(user_id=user.id, hash=hashed))
            return True
    finally:
        await db.close()
