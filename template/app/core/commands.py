"""`app db` and `app keys`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich import print  # noqa: A004

if TYPE_CHECKING:
    from pydantic import ValidationError

database = typer.Typer(help="The database: its roles, its tables, their history.")
keys = typer.Typer(help="Keys for encrypted fields.")


def reason(error: Exception) -> str:
    """What a command says instead of a traceback when nothing is wrong with the code; "" else."""
    import psycopg
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from app.core.errors import Problem

    if isinstance(error, ValidationError):
        return _refused_settings(error)
    if isinstance(error, SettingsError):
        return f'Settings: {error}. Write it as JSON, such as ["one", "two"].'
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}."
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return "Tables are missing or older than the code: `app db upgrade` makes them."
    if isinstance(cause, psycopg.OperationalError):
        return f"The database does not answer: {str(cause).strip().splitlines()[0]}"
    return error.detail if isinstance(error, Problem) else ""


def _refused_settings(error: ValidationError) -> str:
    """A line for each setting that is refused, never with its value; "" when it is no setting."""
    from app.core.settings import ModuleSettings

    kinds = {kind.__name__: kind for kind in ModuleSettings.__subclasses__()}
    if (kind := kinds.get(error.title)) is None:
        return ""
    lines = []
    for one in error.errors(include_input=False, include_url=False):
        name = str(one["loc"][0]) if one["loc"] else ""
        # What has another name in the environment is told by that.
        before = kind.model_config.get("env_prefix", "") if name in kind.model_fields else ""
        setting, text = f"{before}{name}".upper(), one["msg"].removeprefix("Value error, ")
        lines.append(text if not name or text.startswith(setting) else f"{setting}: {text}")
    return "\n".join(lines)


@database.command()
def upgrade() -> None:
    """Bring the tables of every module to their newest revision."""
    from app.core import migrate

    count = 0

    def told(module: str, revision: str) -> None:
        nonlocal count
        count += 1
        print(f"  {module:<14} {revision}")

    migrate.upgrade(told=told)
    applied = f"{count} migration{'s' if count > 1 else ''} applied."
    print(f"[green]{applied}[/]" if count else "Nothing to do.")


@database.command()
def revision(
    module: str, message: Annotated[str, typer.Option("-m", "--message", help="What it does.")]
) -> None:
    """Write the migration that brings a module's tables to what its models say."""
    from app.core import migrate

    try:
        path = migrate.new_revision(module, message)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    print(f"Read it before you run it: {path.relative_to(migrate.APP.parent)}")


@database.command()
def lint() -> None:
    """Fail when a later migration takes away what the version before still needs."""
    from app.core import migration_rules

    found = migration_rules.problems()
    for line in found:
        print(f"[red]{line}[/]")
    if found:
        raise typer.Exit(1)
    print("[green]Every migration lets the version before go on.[/]")


@database.command()
def downgrade(
    module: str,
    revision: Annotated[str, typer.Argument(help="As in the file; `base` is before the first.")],
) -> None:
    """Take a module's tables back to a revision, with what was written into them since."""
    from app.core import migrate

    try:
        gone = migrate.downgrade(module, revision)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    print(f"[green]{len(gone)} migrations of {module} taken back.[/]" if gone else "Nothing to do.")


@database.command()
def check() -> None:
    """Fail when models and tables differ or a table has no row security."""
    from app.core import migrate

    with migrate.connected() as connection:
        found = migrate.problems(connection)
    for line in found:
        print(f"[red]{line}[/]")
    if found:
        raise typer.Exit(1)
    print("[green]Models and tables agree; row security is on.[/]")


@database.command("create-roles")
def create_roles(
    admin_url: Annotated[str, typer.Option(envvar="DATABASE_ADMIN_URL", help="An administrator.")],
    app_password: Annotated[str, typer.Option(envvar="DATABASE_APP_PASSWORD")],
    owner_password: Annotated[str, typer.Option(envvar="DATABASE_OWNER_PASSWORD")],
    name: Annotated[str, typer.Option(envvar="DATABASE_NAME", help="The database.")] = "app",
    backup_password: Annotated[
        str, typer.Option(envvar="DATABASE_BACKUP_PASSWORD", help="Makes app_backup, too.")
    ] = "",
) -> None:
    """Make the roles and the database on a new server. Running it again changes nothing."""
    from app.core import database_roles

    database_roles.create_roles(
        admin_url,
        database=name,
        app_password=app_password,
        owner_password=owner_password,
        backup_password=backup_password,
    )
    print("[green]Roles app_owner, app, app_auth and app_audit are in place.[/]")


@database.command("shell-url", hidden=True)
def shell_url() -> None:
    """Print where migrations log in."""
    from app.core.db import owner_url

    typer.echo(owner_url())


@keys.command("new")
def new_key() -> None:
    """Print a line for ENCRYPTION_KEYS; put it first and keep the old ones behind it."""
    from app.core.crypto import new_key

    typer.echo(new_key())


@keys.command("rotate")
def rotate_keys() -> None:
    """Encrypt anew with the first of ENCRYPTION_KEYS what older ones encrypted."""
    import asyncio

    from app.core import db, rotation

    def told(count: rotation.Count) -> None:
        bad = f", [red]{count.unreadable} unreadable[/]" if count.unreadable else ""
        print(f"  {count.column:<28} {count.renewed} renewed{bad}")

    async def run() -> list[rotation.Count]:
        try:
            return await rotation.rotate(told)
        finally:
            await db.close()

    if any(count.unreadable for count in asyncio.run(run())):
        print("[red]Some values open with none of ENCRYPTION_KEYS; add the key that they need.[/]")
        raise typer.Exit(1)
    print("[green]Everything is encrypted with the newest key.[/]")
