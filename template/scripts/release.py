"""Bring another version to people on one machine: `make release-here TAG=…`.

The new version starts beside the old one and gets requests when it answers; what the old one has
begun it ends. Nothing is taken from the old one before, so a failure leaves people where they were.
State stands in .env: LIVE and the tags of both sets (blue-green), or TAG and PREVIOUS_TAG.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).absolute().parent.parent
ENV = ROOT / ".env"
PORT = 8000
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Release a version on one machine.")
    parser.add_argument("tag", nargs="?", help="the image's tag, or repository@sha256:…")
    parser.add_argument("--back", action="store_true", help="return to the version before")
    parser.add_argument("--drain", type=float, default=30, help="seconds for streams to end")
    given = parser.parse_args()
    if bool(given.tag) == given.back:
        parser.error("name a tag, or say --back")
    services = compose("config", "--services", read=True).split()
    try:
        tag = named(given.tag)
        if "blue" in services:
            blue_green(tag, given.drain)
        else:
            rolling(tag)
    except Failed as error:
        sys.exit(f"{error}\nPeople are served by the version before.")


def named(tag: str | None) -> str | None:
    """A pipeline says `repository@sha256:…`; compose.yml joins name and tag by a colon."""
    repository, by_digest, digest = (tag or "").partition("@sha256:")
    if not by_digest:
        return tag
    docker("pull", "--quiet", f"{repository}@sha256:{digest}")
    remember(IMAGE=f"{repository}@sha256")
    return digest


def blue_green(tag: str | None, drain: float) -> None:
    live = state().get("LIVE", "blue")
    other = "green" if live == "blue" else "blue"
    tag_of = f"{other.upper()}_TAG"
    count = state().get(f"{live.upper()}_REPLICAS", "2")
    wanted = tag or state().get(tag_of)
    if not wanted:
        raise Failed(f"There is no version before: {tag_of} is not in .env.")
    migrate_unless_back(wanted, tag is None)
    remember(**{tag_of: wanted, f"{other.upper()}_REPLICAS": count})
    try:
        compose("up", "--detach", "--no-deps", "--wait", other)
        smoke(instances(other))
        switch(other)
    except Failed:
        compose("stop", other)
        remember(**{f"{other.upper()}_REPLICAS": "0"})
        raise
    remember(LIVE=other, TAG=wanted)
    print(f"People reach {other} now, version {wanted}.", flush=True)
    compose("up", "--detach", "--no-deps", "worker")
    time.sleep(drain)
    compose("stop", "--timeout", "60", live)
    remember(**{f"{live.upper()}_REPLICAS": "0"})


def rolling(tag: str | None) -> None:
    before = state().get("TAG", "local")
    count = int(state().get("APP_REPLICAS", "2"))
    wanted = tag or state().get("PREVIOUS_TAG")
    if not wanted:
        raise Failed("There is no version before: PREVIOUS_TAG is not in .env.")
    migrate_unless_back(wanted, tag is None)
    old = instances("app")
    remember(TAG=wanted)
    try:
        words = ("--detach", "--no-deps", "--no-recreate", "--wait")
        compose("up", *words, "--scale", f"app={len(old) + count}", "app")
        smoke([one for one in instances("app") if one not in old])
    except Failed:
        docker("rm", "--force", *(one for one in instances("app") if one not in old))
        remember(TAG=before)
        raise
    remember(PREVIOUS_TAG=before)
    for one in old:
        docker("stop", "--time", "60", one)
        docker("rm", one)
    compose("up", "--detach", "--no-deps", "worker")
    print(f"People reach version {wanted} now.")


def migrate_unless_back(tag: str, back: bool) -> None:
    """Migrations only add, so the version before goes on with what the new one needs."""
    if (
        back
        and state().get("IMAGE", "").endswith("@sha256")
        and len(tag) != len(sha256().hexdigest())
    ):
        raise Failed(f"{tag} is no digest of {state()['IMAGE']}: it was built under another name.")
    if not back:
        compose("run", "--rm", "--no-deps", "migrate", TAG=tag)


def instances(service: str) -> list[str]:
    return compose("ps", "--quiet", service, read=True).split()


def smoke(containers: list[str]) -> None:
    if not containers:
        raise Failed("No container of the new version runs.")
    for one in containers:
        docker("exec", one, "python", "-c", SMOKE.format(port=PORT))


def switch(to: str) -> None:
    """The proxy reads its file anew; requests that it has begun go on with the old one."""
    command = ("caddy", "reload", "--config", "/etc/caddy/Caddyfile")
    compose("exec", "--no-TTY", "--env", f"LIVE={to}", "proxy", *command)


def compose(*words: str, read: bool = False, **environment: str) -> str:
    return docker("compose", *words, read=read, **environment)


def docker(*words: str, read: bool = False, **environment: str) -> str:
    done = subprocess.run(
        ["docker", *words],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE if read else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"docker {' '.join(words[:4])} … failed.")
    return done.stdout or ""


def state() -> dict[str, str]:
    lines = ENV.read_text(encoding="utf-8").splitlines() if ENV.exists() else []
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def remember(**values: str) -> None:
    """Change these lines of .env in one step; at no moment can others read it."""
    kept = [
        line
        for line in ENV.read_text(encoding="utf-8").splitlines()
        if line.partition("=")[0].strip() not in values
    ]
    lines = [*kept, *(f"{name}={value}" for name, value in values.items())]
    draft = ENV.with_name(".env.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    draft.replace(ENV)


if __name__ == "__main__":
    main()
