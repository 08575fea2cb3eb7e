"""`app backup`: run where the app runs, by someone who holds the database's administrator."""

import asyncio
import os
import signal
import tempfile
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from rich import print  # noqa: A004

from app.backup import archive, drill, elsewhere, restore
from app.backup.errors import BackupFailed, CannotRestore
from app.backup.manifest import Manifest
from app.backup.settings import BackupSettings
from app.core import db
from app.core.clock import now
from app.core.database_roles import in_database
from app.core.logging import log

commands = typer.Typer(help="Backups of database and files.", no_args_is_help=True)
Identity = Annotated[
    Path, typer.Option(envvar="BACKUP_IDENTITY", help="The file with the private key.")
]
TRY_AGAIN_SECONDS = 300


@commands.callback()
def _in_an_image_that_can() -> None:
    if find_spec("pyrage") is None:
        raise BackupFailed(
            "What backups need is not installed: `docker compose run --rm backup app backup …`, or"
            " `uv sync --group backup --group embedded` where the app runs without Docker."
        )


@commands.command("new-key")
def new_key(path: Annotated[Path, typer.Argument(help="Where the private half goes.")]) -> None:
    """Make a pair of keys. Keep the private half away from the machine that is backed up."""
    import pyrage

    made = pyrage.x25519.Identity.generate()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{made}\n")
    print(f"Private half: {path}. Keep it where the machine that is backed up is not.")
    typer.echo(f'BACKUP_RECIPIENTS=["{made.to_public()}"]')


@commands.command("run")
def run_once() -> None:
    """Make a backup now, and forget those that are too old."""
    made = _make()
    told = Manifest.read(made)
    print(f"[green]{made.name}: {told.bytes:,} bytes in {told.seconds:.1f} s.[/]")


@commands.command()
def schedule() -> None:
    """Make one every BACKUP_EVERY_HOURS until told to stop."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(_seconds_to_next()):
        try:
            made = _make()
        except Exception as error:  # noqa: BLE001 the next try may do better, and `list` tells
            log.error("backup.failed", error=type(error).__name__, message=str(error)[:500])
            stop.wait(TRY_AGAIN_SECONDS)
        else:
            log.info("backup.made", name=made.name, bytes=Manifest.read(made).bytes)


@commands.command()
def copy(
    keep: Annotated[bool, typer.Option("--keep", help="Go on until told to stop.")] = False,
) -> None:
    """Bring backups that are only here to BACKUP_COPY_URL, too."""
    folder = BackupSettings.load().folder
    if not keep:
        copied = asyncio.run(elsewhere.copy_missing(folder))
        print(f"[green]Copied: {', '.join(copied) or 'nothing, all are there'}.[/]")
        return
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            for name in asyncio.run(elsewhere.copy_missing(folder)):
                log.info("backup.copied", name=name)
        except Exception as error:  # noqa: BLE001 the next try may do better, and `fetch` tells
            log.error("backup.copy_failed", error=type(error).__name__, message=str(error)[:500])
        stop.wait(TRY_AGAIN_SECONDS)


@commands.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Without it: show the copies.")] = "",
    fresh: Annotated[bool, typer.Option(help="Fail when the newest copy is too old.")] = False,
) -> None:
    """Bring a copy back from BACKUP_COPY_URL, for `app backup restore`."""
    settings = BackupSettings.load()
    if name:
        print(f"[green]{asyncio.run(elsewhere.fetch(name, settings.folder))}[/]")
        return
    found = asyncio.run(elsewhere.names())
    typer.echo("\n".join(found))
    # Its name is the moment at which it was made.
    late = now() - timedelta(hours=2 * settings.every_hours)
    if fresh and (not found or found[-1] < late.strftime(archive.NAMED)):
        print("[red]The newest copy is too old.[/]")
        raise typer.Exit(1)


@commands.command("list")
def list_backups(
    fresh: Annotated[bool, typer.Option(help="Fail when the newest is too old.")] = False,
) -> None:
    """Show the backups that are there."""
    settings = BackupSettings.load()
    found = archive.backups(settings.folder)
    for one in found:
        told = Manifest.read(one)
        typer.echo(f"{one.name}  {sum(told.rows.values()):>10,} rows  {told.bytes:>14,} bytes")
    late = timedelta(hours=2 * settings.every_hours)
    if fresh and (not found or Manifest.read(found[-1]).taken_at < now() - late):
        print("[red]The newest backup is too old.[/]")
        raise typer.Exit(1)


@commands.command("restore")
def restore_backup(
    name: Annotated[str, typer.Argument(help="As `app backup list` shows it.")],
    identity: Identity,
    app_password: Annotated[str, typer.Option(envvar="DATABASE_APP_PASSWORD")],
    owner_password: Annotated[str, typer.Option(envvar="DATABASE_OWNER_PASSWORD")],
    database: Annotated[str, typer.Option(envvar="DATABASE_NAME")] = "app",
) -> None:
    """Fill an empty server, bring the files back, and look whether all of it is right."""
    backup = BackupSettings.load().folder / name
    if backup not in archive.backups(backup.parent):
        raise CannotRestore(f"{name} is no backup: `app backup list` shows those that are.")
    url = BackupSettings.load().admin_url.get_secret_value()
    told = restore.into(
        backup,
        identity,
        url,
        database=database,
        app_password=app_password,
        owner_password=owner_password,
    )
    print(f"{sum(told.rows.values())} rows are back; now the files ...")
    problems = drill.look(backup, in_database(url, database), dict(os.environ), identity)
    for one in problems:
        print(f"[red]{one}[/]")
    if problems:
        raise typer.Exit(1)
    print("[green]Everything is as it was at[/]", told.taken_at.isoformat())


@commands.command("drill")
def rehearse(
    identity: Annotated[
        Path | None,
        typer.Option(envvar="BACKUP_IDENTITY", help="Without it: a backup for this drill alone."),
    ] = None,
) -> None:
    """Restore the newest backup into a server of its own, and say how long that took."""
    settings = BackupSettings.load()
    url = settings.admin_url.get_secret_value()
    if identity:
        found = archive.backups(settings.folder)
        if not found:
            raise CannotRestore("There is no backup: `app backup run` makes one.")
        report = drill.run(found[-1], identity, url)
    else:
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=settings.folder, prefix=".drill-") as folder:
            report = drill.run(*_for_this_drill(Path(folder), url), url)
    for line in report.sentences():
        print(line)
    for one in report.problems:
        print(f"[red]{one}[/]")
    if report.problems:
        raise typer.Exit(1)
    print("[green]Rows, grants, row security, audit chains, encrypted columns: all in order.[/]")


@commands.command(hidden=True)
def look(
    backup: Path, identity: Annotated[Path | None, typer.Option(envvar="BACKUP_IDENTITY")] = None
) -> None:
    """Say what is wrong with a restored database; with the key the files come back first."""
    from app.backup import opening

    async def run() -> list[str]:
        try:
            return await opening.problems()
        finally:
            await db.close()

    if identity:
        restore.put_files_back(backup, identity)
    if found := asyncio.run(run()):
        typer.echo("\n".join(found))
        raise typer.Exit(1)


def _make() -> Path:
    settings = BackupSettings.load()
    url = settings.admin_url.get_secret_value()
    if not url:
        raise BackupFailed("BACKUP_ADMIN_URL is empty: name the database's administrator.")
    made = archive.make(settings.folder, url, archive.recipients())
    archive.forget_old(settings.folder, settings.keep_days)
    return made


def _for_this_drill(folder: Path, url: str) -> tuple[Path, Path]:
    import pyrage

    made = pyrage.x25519.Identity.generate()
    identity = folder / "identity"
    identity.touch(mode=0o600)
    identity.write_text(f"{made}\n")
    return archive.make(folder, url, [str(made.to_public())]), identity


def _seconds_to_next() -> float:
    settings = BackupSettings.load()
    found = archive.backups(settings.folder)
    if not found:
        return 0
    due = Manifest.read(found[-1]).taken_at + timedelta(hours=settings.every_hours)
    return max(0.0, (due - now()).total_seconds())
