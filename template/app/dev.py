"""`app dev`: everything on one machine."""

import gc
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack

import uvicorn
from fastapi import FastAPI
from rich import print  # noqa: A004
from rich.markup import escape

from app.core.errors import CannotStart
from app.core.settings import ROOT, Settings, all_settings, answers
from app.llm.access import SMALL_LOCAL
from app.llm.settings import LLMSettings
from app.llm.small_local import process
from app.mail.settings import MailSettings
from app.modules import has

HOST = "127.0.0.1"


def run(port: int, *, reload: bool, model: str = "") -> None:
    """Bring the tables up to date, serve until Ctrl-C, and say where things are."""
    _refuse_taken(port)
    with ExitStack() as until_it_ends:
        if model == "local" or LLMSettings().provider == SMALL_LOCAL:
            os.environ.update(until_it_ends.enter_context(process.running(print)))
        _serve(port, reload=reload)
    print("Stopped.")


def _serve(port: int, *, reload: bool) -> None:
    from app.core import migrate

    if "public_url" not in Settings().model_fields_set:
        os.environ["PUBLIC_URL"] = f"http://localhost:{port}"
    os.environ.setdefault("SIGN_UP_FIRST_IS_ADMIN", "true")
    # Once all are there that this command sets: what is read here is kept. What is wrong is told
    # here, and not by each process that starts.
    all_settings()
    print("Starting the database ...")
    migrate.upgrade(told=lambda module, revision: print(f"  {module:<14} {revision}"))
    threading.Thread(target=_welcome, args=[port], daemon=True).start()
    uvicorn.run(
        "app.dev:create_app",
        factory=True,
        host=HOST,
        port=port,
        reload=reload,
        reload_dirs=[str(ROOT / "app")] if reload else None,
        reload_delay=1,  # Looking at each file four times a second took a tenth of a core.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )


def create_app() -> FastAPI:
    """The app, in a process that goes when the one that started it is gone, killed or not."""
    gc.disable()  # As in `app.serving`: what a start makes stays.
    from app import main

    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    app = main.create_app()
    gc.freeze()
    gc.enable()
    logging.getLogger("app").addFilter(_worth_a_line)
    return app


def _worth_a_line(line: logging.LogRecord) -> bool:
    """What the clock runs, and ends well, would push the addresses out of sight."""
    from app.jobs.queue import SCHEDULES

    told = line.msg if isinstance(line.msg, dict) else {}
    return told.get("event") != "job.finished" or told["job"] not in dict(SCHEDULES)


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _refuse_taken(port: int) -> None:
    """Raise `CannotStart` while nothing has been done yet."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CannotStart(
            f"Port {port}: {reason}. Choose another: make dev PORT={port + 1}"
        ) from error


def _welcome(port: int) -> None:
    """Say where things are once they are there: what is named can be clicked."""
    while not _answers(port):
        time.sleep(0.05)
    address = Settings().public_url
    pages = has("web")
    places = {str(answers()["project"]["name"]): "" if pages else "/api/openapi.json"}
    if MailSettings().backend == "inbox":
        places["Its mail"] = "/dev/inbox" if pages else "/api/dev/inbox"
    width = max(map(len, places))
    lines = [f"  {escape(name):<{width}}  [bold]{address}{at}[/]" for name, at in places.items()]
    rest = "\n  Whoever signs up first is the administrator. Ctrl-C stops it.\n"
    print("", *lines, rest, sep="\n")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
