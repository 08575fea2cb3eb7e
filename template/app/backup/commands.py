"""`app backup`: run where the app runs, by someone who holds the database's administrator."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread
from typing import Annotated
from urllib.parse import quote

import typer
from anyio.from_thread import start_blocking_portal
from rich import print  # noqa: A004

from app.backup import archive, drill, elsewhere, moment, restore, stream
from app.backup.errors import BackupFailed, CannotRestore
from app.backup.gauges import LATE
from app.backup.manifest import Manifest
from app.backup.settings import BackupSettings
from app.core import db, logging
from app.core.clock import now
from app.core.database_roles import in_database
from app.core.logging import log
from app.telemetry.listener import listening

commands = typer.Typer(help="Backups of database and files.", no_args_is_help=True)
Identity = Annotated[
    Path,
    typer.Option(
        envvar="BACKUP_IDENTITY",
        help="The file with the private key.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]
At = Annotated[
    str, typer.Option(help="A moment such as 2026-03-01T14:05:00Z, or `latest`: all that was kept.")
]
TRY_AGAIN_SECONDS = 300
LOOK_SECONDS = 60


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
    """Make one every BACKUP_EVERY_HOURS, and receive every change, until told to stop."""
    logging.configure()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    streaming = Thread(target=stream.keep, args=[stop])
    if stream.is_on():
        streaming.start()
    began = now()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(listening(of_rows=False)),
    ):
        while not stop.is_set():
            is_well = _made_what_is_due()
            # What cannot be read has failed above, and the log tells of it.
            with suppress(Exception):
                LATE.replace(_late_seconds(began))
            stop.wait(LOOK_SECONDS if is_well else TRY_AGAIN_SECONDS)
    if streaming.ident:
        streaming.join()


@commands.command()
def base() -> None:
    """Copy the server's files now: a restore to a later moment has less to replay."""
    if not stream.is_on():
        raise BackupFailed("BACKUP_STREAM_URL is empty: changes are not kept.")
    print(f"[green]{stream.make_base().name}[/]")


@commands.command()
def copy(
    keep: Annotated[bool, typer.Option("--keep", help="Go on until told to stop.")] = False,
) -> None:
    """Bring backups that are only here to BACKUP_COPY_URL, too."""
    folder = BackupSettings.load().folder
    if not keep:
        copied = asyncio.run(elsewhere.copy_missing(folder))
        count = asyncio.run(elsewhere.copy_log(folder, set()))
        print(
            f"[green]Copied: {', '.join(copied) or 'no backup, all are there'}; {count} files.[/]"
        )
        return
    logging.configure()
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    there: set[str] = set()
    while not stop.is_set():
        try:
            asyncio.run(elsewhere.copy_log(folder, there))
            for name in asyncio.run(elsewhere.copy_missing(folder)):
                log.info("backup.copied", name=name)
        except Exception as error:  # noqa: BLE001 the next try may do better, and `fetch` tells
            log.error("backup.copy_failed", error=type(error).__name__, message=str(error)[:500])
        stop.wait(LOOK_SECONDS)


@commands.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Without it: show the copies.")] = "",
    fresh: Annotated[bool, typer.Option(help="Fail when the newest copy is too old.")] = False,
    at: At = "",
) -> None:
    """Bring a copy back from BACKUP_COPY_URL, for `app backup restore`."""
    settings = BackupSettings.load()
    if at:
        then = moment.moment_of(at)
        until = then.strftime(archive.NAMED) if then else "~"
        print(f"[green]{asyncio.run(elsewhere.fetch_log(settings.folder, until))} files.[/]")
        return
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
    if not found:
        typer.echo(f"There is no backup in {settings.folder}.")
    for one in found:
        told = Manifest.read(one)
        typer.echo(f"{one.name}  {sum(told.rows.values()):>10,} rows  {told.bytes:>14,} bytes")
    typer.echo("".join(f"{line}\n" for line in moment.reach()), nl=False)
    late = timedelta(hours=2 * settings.every_hours)
    if fresh and (not found or Manifest.read(found[-1]).taken_at < now() - late):
        print("[red]The newest backup is too old.[/]")
        raise typer.Exit(1)
    if fresh and (problem := stream.problem()):
        print(f"[red]{problem}[/]")
        raise typer.Exit(1)


@commands.command("restore")
def restore_backup(
    identity: Identity,
    app_password: Annotated[str, typer.Option(envvar="DATABASE_APP_PASSWORD")],
    owner_password: Annotated[str, typer.Option(envvar="DATABASE_OWNER_PASSWORD")],
    name: Annotated[str, typer.Argument(help="As `app backup list` shows it.")] = "",
    at: At = "",
    database: Annotated[str, typer.Option(envvar="DATABASE_NAME")] = "app",
) -> None:
    """Fill an empty database, bring the files back, and look whether all of it is right."""
    folder = BackupSettings.load().folder
    if bool(name) == bool(at):
        raise CannotRestore("Name a backup, or a moment with --at: one of them.")
    if name and folder / name not in archive.backups(folder):
        raise CannotRestore(f"{name} is no backup: `app backup list` shows those that are.")
    url = BackupSettings.load().admin_url.get_secret_value()
    with _backup(folder / name, at, identity) as (backup, keys):
        told = restore.into(
            backup,
            keys,
            url,
            database=database,
            app_password=app_password,
            owner_password=owner_password,
        )
        print(f"{sum(told.rows.values())} rows are back; now the files ...")
        filled = in_database(url, database)
        # Past the pooler, which knows the database that people use and no other.
        passwords = {"app": app_password, "app_owner": owner_password}
        urls = [
            f"postgresql://{role}:{quote(password, safe='')}@{filled.rpartition('@')[2]}"
            for role, password in passwords.items()
        ]
        environment = os.environ | {"DATABASE_URL": urls[0], "DATABASE_OWNER_URL": urls[1]}
        problems = drill.look(backup, filled, environment, keys)
    for one in problems:
        print(f"[red]{one}[/]")
    if problems:
        raise typer.Exit(1)
    print("[green]Everything is as it was at[/]", at or told.taken_at.isoformat())


@commands.command("drill")
def rehearse(
    identity: Annotated[
        Path | None,
        typer.Option(envvar="BACKUP_IDENTITY", help="Without it: a backup for this drill alone."),
    ] = None,
    at: At = "",
) -> None:
    """Restore the newest backup into a server of its own, and say how long that took."""
    settings = BackupSettings.load()
    url = settings.admin_url.get_secret_value()
    if at and not identity:
        raise CannotRestore("--at needs --identity: what was kept opens with that key only.")
    if identity:
        found = archive.backups(settings.folder)
        if not found and not at:
            raise CannotRestore("There is no backup: `app backup run` makes one.")
        with _backup(found[-1] if found else settings.folder, at, identity) as (backup, keys):
            report = drill.run(backup, keys, url)
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


@contextmanager
def _backup(backup: Path, at: str, identity: Path) -> Iterator[tuple[Path, Path]]:
    """The one that is there or one of the moment, and what opens it."""
    if not at:
        yield backup, identity
        return
    with moment.as_backup(at, identity) as then:
        print(f"Replayed in {then.seconds / 60:.1f} minutes; last change: {then.last_change}.")
        yield then.backup, then.keys


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


def _is_due() -> bool:
    settings = BackupSettings.load()
    found = archive.backups(settings.folder)
    late = now() - timedelta(hours=settings.every_hours)
    return not found or Manifest.read(found[-1]).taken_at <= late


def _late_seconds(began: datetime) -> float:
    """Since when the next one should be there; without any, since the schedule began."""
    settings = BackupSettings.load()
    found = archive.backups(settings.folder)
    due = began
    if found:
        due = Manifest.read(found[-1]).taken_at + timedelta(hours=settings.every_hours)
    return max(0.0, (now() - due).total_seconds())


def _made_what_is_due() -> bool:
    """Whether all went well; the next try may do better, and `list` tells."""
    is_well = True
    try:
        if _is_due():
            made = _make()
            log.info("backup.made", name=made.name, bytes=Manifest.read(made).bytes)
    except Exception as error:  # noqa: BLE001 see above
        is_well = False
        log.error("backup.failed", error=type(error).__name__, message=str(error)[:500])
    try:
        if stream.is_on() and stream.base_is_due():
            log.info("backup.base_made", name=stream.make_base().name)
    except Exception as error:  # noqa: BLE001 see above
        is_well = False
        log.error("backup.base_failed", error=type(error).__name__, message=str(error)[:500])
    return is_well
