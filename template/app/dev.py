"""`app dev`: everything on one machine."""

import os

import uvicorn
from rich import print  # noqa: A004

from app.core.settings import ROOT, answers


def run(port: int, *, reload: bool) -> None:
    """Bring the tables up to date, say where things are, and serve until Ctrl-C."""
    from app.core import migrate

    os.environ.setdefault("PUBLIC_URL", f"http://localhost:{port}")
    os.environ.setdefault("SIGN_UP_FIRST_IS_ADMIN", "true")
    print("Starting the database ...")
    migrate.upgrade(told=lambda module, revision: print(f"  {module:<14} {revision}"))
    address = os.environ["PUBLIC_URL"]
    print(
        f"\n  {answers()['project']['name']}:  [bold]{address}[/]"
        f"\n  Its mail:  [bold]{address}/dev/inbox[/]"
        "\n\n  Whoever signs up first is the administrator. Ctrl-C stops it.\n"
    )
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        reload=reload,
        reload_dirs=[str(ROOT / "app")] if reload else None,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
