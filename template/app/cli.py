"""The command line: `app --help`. A module's commands are `app <module> ...`."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import typer

from app.core import commands as core
from app.core.errors import CannotStart
from app.modules import MODULES

NOT_STARTED = 3
"""What uvicorn ends with when the app refuses to start."""

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
cli.add_typer(core.database, name="db")
cli.add_typer(core.keys, name="keys")


@cli.callback()
def begin(
    database_ca: Annotated[str, typer.Option(envvar="DATABASE_CA", hidden=True)] = "",
) -> None:
    if database_ca:
        from app.core.database_ca import trust

        trust(database_ca)


@cli.command()
def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen.")] = 8000,
    reload: Annotated[bool, typer.Option(help="Start again when a file changes.")] = True,
    model: Annotated[
        Literal["", "local"], typer.Option(help="`local`: a small model on this machine answers.")
    ] = "",
) -> None:
    """Run everything on this machine: database, migrations, web, background jobs."""
    with _importing():
        from app import dev

    dev.run(port, reload=reload, model=model)


@cli.command()
def serve(
    host: Annotated[str, typer.Option(envvar="HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(envvar="WEB_WORKERS", min=1)] = 1,
) -> None:
    """Run the web server as production does."""
    gc.disable()  # `app.serving` enables it when all is made
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    options: dict[str, Any] = {
        "factory": True,
        "host": host,
        "port": port,
        "workers": workers,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # core.middleware trusts counted proxies only
        "timeout_graceful_shutdown": 20,
    }
    if workers == 1:
        uvicorn.run("app.serving:create_app", **options)
        return
    config = uvicorn.Config("app.serving:create_app", **options)
    several = Multiprocess(config, sockets=[config.bind_socket()])
    several.run()
    # By itself it ends with 0 also when none of them could start.
    if any(one.exitcode == NOT_STARTED for one in several.processes):
        raise typer.Exit(NOT_STARTED)


@cli.command()
def worker() -> None:
    """Run background jobs until told to stop."""
    import asyncio

    with _importing():
        from app import worker as jobs

    asyncio.run(jobs.run())


@cli.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(help="Asked for when left out.")] = "",
    name: Annotated[str, typer.Option(help="Asked for when left out.")] = "",
    password: Annotated[
        str, typer.Option(envvar="ADMIN_PASSWORD", help="Better asked for than written.")
    ] = "",
) -> None:
    """Make an administrator; someone who has an account keeps it and becomes one."""
    import asyncio

    from rich import print  # noqa: A004

    from app.auth import administrator
    from app.core import db
    from app.core.errors import Problem

    async def make(email: str) -> str:
        try:
            if await administrator.exists(email):
                await administrator.promote(email)
                return f"{email} is an administrator now."
            await administrator.create(
                email, name or _ask("Name:"), password or _ask("Password:", secret=True)
            )
            return f"{email} is an administrator and can sign in."
        finally:
            await db.close()

    try:
        print(f"[green]{asyncio.run(make(email or _ask('Mail address:')))}[/]")
    except Problem as problem:
        print(f"[red]{problem.detail}[/]")
        raise typer.Exit(1) from problem


@cli.command("reset-factors")
def reset_factors(email: Annotated[str, typer.Argument(help="Whose.")]) -> None:
    """Take away every second factor of someone who lost them; make sure that it is they who ask."""
    import asyncio

    from rich import print  # noqa: A004

    from app.auth import people
    from app.core import db
    from app.core.errors import Problem

    async def reset() -> list[str]:
        try:
            return await people.reset_by_operator(email)
        finally:
            await db.close()

    try:
        kinds = asyncio.run(reset())
    except Problem as problem:
        print(f"[red]{problem.detail}[/]")
        raise typer.Exit(1) from problem
    print(f"[green]{email} signs in with the password alone now; gone: {', '.join(kinds)}.[/]")


def _ask(question: str, *, secret: bool = False) -> str:
    import questionary

    if not sys.stdin.isatty():
        raise typer.BadParameter(f"Nobody is there to answer {question!r}: give it as an option.")
    kind = questionary.password if secret else questionary.text
    return str(kind(question).unsafe_ask())


def add_modules(words: list[str]) -> None:
    """Add the commands of the module that is meant, or of all for the help page."""
    names = MODULES if not words or words[0].startswith("-") else words[:1]
    for name in names:
        if name in MODULES and find_spec(f"app.{name}.commands"):
            cli.add_typer(import_module(f"app.{name}.commands").commands, name=name)


@contextmanager
def _importing() -> Iterator[None]:
    """What is imported stays: looking for garbage in it took a seventh of a command's start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _must_be_text(words: list[str]) -> None:
    """Bytes that are no UTF-8 stand in them as halves of characters, which no database takes."""
    for word in words:
        if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
            sys.exit(f"This is not UTF-8: {word!a}. Look at the terminal's encoding.")


def main() -> None:
    _must_be_text(sys.argv[1:])
    with _importing():
        add_modules(sys.argv[1:])
    try:
        cli()
    except CannotStart as error:
        sys.exit(str(error))
    except Exception as error:
        if reason := core.reason(error):
            sys.exit(reason)
        raise


if __name__ == "__main__":
    main()
