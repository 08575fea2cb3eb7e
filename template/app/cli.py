"""The command line: `app --help`."""

import os
from typing import Annotated

import typer

from app.core import commands as core
from app.modules import parts

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
cli.add_typer(core.database, name="db")
cli.add_typer(core.keys, name="keys")
for part in parts("commands"):
    cli.add_typer(part.commands, name=getattr(part, "NAME", part.__name__.split(".")[1]))


@cli.command()
def dev(
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8000,
    reload: Annotated[bool, typer.Option(help="Start again when a file changes.")] = True,
) -> None:
    """Run everything on this machine: database, migrations, web, background jobs."""
    import uvicorn
    from rich import print  # noqa: A004

    from app.core import migrate
    from app.core.settings import ROOT

    os.environ.setdefault("PUBLIC_URL", f"http://localhost:{port}")
    print("Starting the database ...")
    migrate.upgrade(told=lambda module, revision: print(f"  {module:<14} {revision}"))
    address = os.environ["PUBLIC_URL"]
    print(f"\n  The app:      [bold]{address}[/]\n  Its mail:     [bold]{address}/dev/inbox[/]\n")
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        reload=reload,
        reload_dirs=[str(ROOT / "app")],
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )


@cli.command()
def serve(
    host: Annotated[str, typer.Option(envvar="HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT")] = 8000,
    workers: Annotated[int, typer.Option(envvar="WEB_WORKERS")] = 1,
) -> None:
    """Run the web server as production does."""
    import uvicorn

    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # core.middleware trusts counted proxies only
        timeout_graceful_shutdown=20,
    )


@cli.command()
def worker() -> None:
    """Run background jobs until told to stop."""
    import asyncio

    from app import worker as jobs

    asyncio.run(jobs.run())


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
