"""Bring another version to people on one machine: `make release-here TAG=…`.

The new version starts beside the old one and gets requests when it answers; what the old one has
begun it ends. Nothing is taken from the old one before, so a failure leaves people where they were.
State stands in .env, images by their whole names: IMAGE, PREVIOUS_IMAGE and, with blue-green, LIVE,
BLUE_IMAGE and GREEN_IMAGE.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import listeners

ROOT = Path(__file__).absolute().parent.parent
ENV = ROOT / ".env"
PORT = 8000
STATE = re.compile(r"LIVE|(BLUE|GREEN)_REPLICAS|((PREVIOUS|BLUE|GREEN)_)?IMAGE")
LOCAL = "app:local"  # As compose.yml has it.
# What never becomes healthy is started again and again: without an end Compose would wait for ever.
WAIT = ("--wait", "--wait-timeout", "300")
# Nothing can fail any more once the proxy has changed over: a name is changed without room on disk.
RELOAD = (
    'echo "$LIVE" >/config/next; caddy reload --config /etc/caddy/Caddyfile; '
    'mv /config/next "/config/live.$HOSTNAME"'
)
# Ready is what the app says of itself; that it knows nobody yet is what it must say to us.
SMOKE = (
    "import urllib.request as u, urllib.error as e\n"
    "u.urlopen('http://127.0.0.1:{port}/health/ready', timeout=10)\n"
    "try: u.urlopen('http://127.0.0.1:{port}/api/me', timeout=10)\n"
    "except e.HTTPError as error: raise SystemExit(0 if error.code == 401 else 1)\n"
    "raise SystemExit('anybody is let in')\n"
)


class Failed(Exception):
    """The release was given up; people are served as before."""


class Unfinished(Exception):
    """People are served by the new version; something of the old one was left."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Release a version on one machine.")
    parser.add_argument("image", nargs="?", help="a tag, or a name such as repository@sha256:…")
    parser.add_argument(
        "--back", action="store_true", help="to the version before or to `image`; no migrations"
    )
    parser.add_argument("--drain", type=float, default=30, help="seconds for streams to end")
    given = parser.parse_args()
    if not given.image and not given.back:
        parser.error("name a tag, or say --back")
    # A pipeline that is broken off: what was begun is taken away, as with any other failure.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    lock = ENV.with_name(".env.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("Another release runs on this machine; this one has done nothing.")
    try:
        image = named(given.image or "")
        if "blue" in compose("config", "--services", read=True).split():
            blue_green(image, given.back, given.drain)
        else:
            rolling(image, given.back)
    except (Failed, OSError) as error:
        sys.exit(f"{error}\nPeople are served by the version before.")
    except Unfinished as error:
        sys.exit(f"{error}\nPeople are served by the new version; end by hand what it left.")
    if told := listeners.warning():
        print(told, file=sys.stderr)


def named(image: str) -> str:
    """A tag alone is one of the image that runs: v2 after `there/app:v1` is `there/app:v2`."""
    if image and not re.search(r"[/:@]", image):
        place, slash, name = state().get("IMAGE", LOCAL).partition("@")[0].rpartition("/")
        return f"{place}{slash}{name.partition(':')[0]}:{image}"
    return image


def wanted_image(image: str, back: bool) -> str:
    wanted = image or (state().get("PREVIOUS_IMAGE", "") if back else "")
    if not wanted:
        raise Failed("There is no version before: PREVIOUS_IMAGE is not in .env; name one.")
    # Compose would build what it cannot pull; what is here needs no registry.
    if "@" in wanted and ask(["image", "inspect", wanted], stderr=subprocess.DEVNULL).returncode:
        docker("pull", "--quiet", wanted)
    return wanted


def before(was: str, wanted: str, back: bool) -> dict[str, str | None]:
    """What `--back` returns to. Who goes back twice shall not meet what was bad again, and the same
    version again leaves what was there before it."""
    if back:
        return {"PREVIOUS_IMAGE": None}
    return {} if was == wanted else {"PREVIOUS_IMAGE": was}


def blue_green(image: str, back: bool, drain: float) -> None:
    now = state()
    live = now.get("LIVE", "blue")
    other = "green" if live == "blue" else "blue"
    image_of, count_of = f"{other.upper()}_IMAGE", f"{other.upper()}_REPLICAS"
    wanted = wanted_image(image, back)
    if not back:
        migrate(wanted)
        renew_gateway()
    was = now.get(f"{live.upper()}_IMAGE", now.get("IMAGE", LOCAL))
    count = now.get(f"{live.upper()}_REPLICAS", "2")
    remember(**{f"{live.upper()}_IMAGE": was, image_of: wanted, count_of: count})
    try:
        compose("up", "--detach", "--no-deps", *WAIT, other)
        smoke(instances(other))
        switch(other)
    except BaseException:
        compose("stop", other)
        remember(**{image_of: now.get(image_of), count_of: "0"})
        raise
    with after_the_change():
        remember(LIVE=other, IMAGE=wanted, **before(was, wanted, back))
        print(f"People reach {other} now, version {wanted}.", flush=True)
        compose("up", "--detach", "--no-deps", "worker")
        renew_backup(back)
        time.sleep(drain)
        compose("stop", "--timeout", "60", live)
        remember(**{f"{live.upper()}_REPLICAS": "0"})


def rolling(image: str, back: bool) -> None:
    was = state().get("IMAGE", LOCAL)
    count = int(state().get("APP_REPLICAS", "2"))
    wanted = wanted_image(image, back)
    if not back:
        migrate(wanted)
        renew_gateway()
    old = instances("app")
    remember(IMAGE=wanted)
    try:
        words = ("--detach", "--no-deps", "--no-recreate", *WAIT)
        compose("up", *words, "--scale", f"app={len(old) + count}", "app")
        smoke([one for one in instances("app") if one not in old])
    except BaseException:
        if new := [one for one in instances("app") if one not in old]:
            docker("rm", "--force", *new)
        remember(IMAGE=was)
        raise
    with after_the_change():
        remember(**before(was, wanted, back))
        print(f"People reach version {wanted} now.", flush=True)
        for one in old:
            docker("stop", "--time", "60", one)
            docker("rm", one)
        compose("up", "--detach", "--no-deps", "worker")
        renew_backup(back)


@contextmanager
def after_the_change() -> Iterator[None]:
    try:
        yield
    except (Failed, OSError) as error:
        raise Unfinished(str(error)) from error


def migrate(image: str) -> None:
    """Migrations only add, so the version before goes on with what the new one needs."""
    compose("run", "--rm", "--no-deps", "migrate", IMAGE=image)


def renew_gateway() -> None:
    """LiteLLM has an image of its own, built from this folder: a changed one starts beside the old
    one, and both answer under the one name until it does."""
    if not is_ours("litellm"):
        return
    compose("build", "litellm")
    name = compose("config", "--images", "litellm", read=True).strip()
    wanted = docker("image", "inspect", "--format", "{{.Id}}", name, read=True)
    before = instances("litellm")
    old = [one for one in before if docker("inspect", "-f", "{{.Image}}", one, read=True) != wanted]
    if not old:
        return
    words = ("--detach", "--no-deps", "--no-recreate", *WAIT)
    try:
        compose("up", *words, "--scale", f"litellm={len(before) + 1}", "litellm")
    except BaseException:
        if new := [one for one in instances("litellm") if one not in before]:
            docker("rm", "--force", *new)
        raise
    for one in old:
        docker("stop", "--time", "60", one)
        docker("rm", one)


def renew_backup(back: bool) -> None:
    """What makes backups knows where this version keeps what. It serves nobody: a backup that is
    begun is broken off and made again."""
    for service in () if back else ("backup", "copies"):
        if is_ours(service):
            compose("up", "--detach", "--no-deps", "--build", service)


def is_ours(service: str) -> bool:
    """Whether it runs here, from an image that is built here and not named in .env."""
    name = "BACKUP_IMAGE" if service == "copies" else f"{service.upper()}_IMAGE"
    if state().get(name):
        return False
    all_of_it = ("--profile", "copies")
    there = compose(*all_of_it, "config", "--services", read=True).split()
    return service in there and bool(
        compose(*all_of_it, "ps", "--all", "--quiet", service, read=True).strip()
    )


def instances(service: str) -> list[str]:
    """Those that have ended, too: a new one that fails is taken away again."""
    return compose("ps", "--all", "--quiet", service, read=True).split()


def smoke(containers: list[str]) -> None:
    if not containers:
        raise Failed("No container of the new version runs.")
    for one in containers:
        docker("exec", one, "python", "-c", SMOKE.format(port=PORT))


def switch(to: str) -> None:
    """The proxy reads its file anew; requests that it has begun go on with the old one. Started
    again, as after a reboot, it has the environment that it was made with: so it notes the name."""
    compose("exec", "--no-TTY", "--env", f"LIVE={to}", "proxy", "sh", "-ec", RELOAD)


def compose(*words: str, read: bool = False, **environment: str) -> str:
    return docker("compose", *words, read=read, **environment)


def docker(*words: str, read: bool = False, **environment: str) -> str:
    done = ask(list(words), environment, stdout=subprocess.PIPE if read else None)
    if done.returncode:
        raise Failed(f"docker {' '.join(words[:4])} … failed.")
    return done.stdout or ""


def ask(
    words: list[str],
    environment: dict[str, str] | None = None,
    *,
    stdout: int | None = subprocess.DEVNULL,
    stderr: int | None = None,
) -> subprocess.CompletedProcess[str]:
    # Compose takes the environment before .env, and make hands over what was typed.
    kept = {name: one for name, one in os.environ.items() if not STATE.fullmatch(name)}
    return subprocess.run(
        ["docker", *words],
        cwd=ROOT,
        env=kept | (environment or {}),
        stdout=stdout,
        stderr=stderr,
        text=True,
        check=False,
    )


def state() -> dict[str, str]:
    lines = ENV.read_text(encoding="utf-8").splitlines() if ENV.exists() else []
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def remember(**values: str | None) -> None:
    """Change these lines of .env in one step, None takes one out; never can others read it."""
    kept = [
        line
        for line in ENV.read_text(encoding="utf-8").splitlines()
        if line.partition("=")[0].strip() not in values
    ]
    lines = [*kept, *(f"{name}={value}" for name, value in values.items() if value)]
    draft = ENV.with_name(".env.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(ENV)


if __name__ == "__main__":
    main()
