"""`app storage`."""

import asyncio

import typer

from app.storage.settings import StorageSettings

commands = typer.Typer(help="Where files are kept.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Keeps `prepare` a word of its own while it is the only command."""


@commands.command()
def prepare() -> None:
    """Make the bucket when it is not there. Running it again changes nothing."""
    if StorageSettings.load().backend != "s3":
        typer.echo("Files are kept in a folder; nothing to do.")
        return
    from app.storage import s3

    asyncio.run(s3.make_bucket())
    typer.echo(f"The bucket {StorageSettings.load().s3_bucket} is there.")
