"""The files of a cluster, and the passwords of the accounts in it."""

import json
import os
import secrets
import shutil
from pathlib import Path

from app.core.embedded.locks import lock
from app.core.embedded.programs import Account, Install
from app.core.embedded.refusals import refusal
from app.core.errors import CannotStart

ADMIN = "postgres"


def initialize(
    folder: Path, install: Install, account: Account, password: str, durable: bool
) -> None:
    """Makes the cluster beside its place and moves it there whole: a kill leaves nothing half."""
    draft = account.home / "data.new"
    target = account.home / "data"
    secret = account.home / "data.password"
    for rest in (draft, target):
        shutil.rmtree(rest, ignore_errors=True)
    (folder / "prepared").unlink(missing_ok=True)
    _write_secret(secret, password)
    account.own(secret)
    draft.mkdir(mode=0o700)
    account.own(draft)
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if install.major >= 17
        else ["--locale-provider=libc", "--lc-collate=C", "--lc-ctype=C.UTF-8"]
    )
    fd = lock(folder / "server.lock")
    try:
        done = account.run(
            account.command(
                "initdb",
                f"--pgdata={draft}",
                f"--username={ADMIN}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-instructions",
                *locale,
                *([] if durable else ["--no-sync"]),
            ),
            fd,
        )
    finally:
        os.close(fd)
        secret.unlink()
    if done.returncode:
        shutil.rmtree(draft, ignore_errors=True)
        raise refusal(done.stdout, folder)
    draft.rename(target)
    if target != folder / "data":
        (folder / "data").unlink(missing_ok=True)
        (folder / "data").symlink_to(target)


def passwords(folder: Path) -> dict[str, str]:
    path = folder / "passwords.json"
    if path.exists():
        found: dict[str, str] = json.loads(path.read_text())
        return found
    if (folder / "data").exists():
        raise CannotStart(
            f"{path} is gone, and without it nobody gets into the database beside it: "
            f"put it back, or delete {folder} to start afresh."
        )
    made = {name: secrets.token_urlsafe(32) for name in ("admin", "owner", "app")}
    draft = folder / "passwords.new"
    _write_secret(draft, json.dumps(made))
    draft.rename(path)
    return made


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
