"""Take each control out of a copy of this project, one at a time, and see a test fail.

python scripts/plant_faults.py [word ...]     all faults, or those whose text holds every word

tests/faults.toml holds the faults. A fault that no test notices is told, and the answer is 1: then
a test is missing. One that does not fit this project's code is passed over.

Each worker has a copy and the embedded database in it. Migrations run once per copy, and again for
a fault in what they do; packages are imported once, and each test runs in a fork. Not on Windows.
"""

import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEFT_OUT = (".venv", ".local", ".git", "*_cache", "__pycache__", "build", "dist")
WORKERS = min(os.cpu_count() or 1, 4)
SECONDS = 600  # a test that hangs longer has noticed nothing
KEPT = "kept"
# A fault in one of these changes what stands in a migrated database.
MIGRATED = ("/migrations/", "core/row_security.py", "core/migrate.py", "core/database_roles.py")
# Keeps the database of a copy up until its input ends, and in it one to make others from.
KEEPER = f"""
import json, os, sys
from pathlib import Path
from app.core import database_roles, embedded, migrate
server = embedded.start(Path(".local/test-database").resolve(), environment="test", durable=False)
database_roles.create_database(server.admin, "{KEPT}")
urls = server.of("{KEPT}")
os.environ |= {{"DATABASE_URL": urls.app, "DATABASE_OWNER_URL": urls.owner}}
migrate.upgrade()
import app.main
print(json.dumps([*sys.modules]), flush=True)
sys.stdin.read()
"""
Fault = dict[str, str]


def faults(words: list[str]) -> list[Fault]:
    text = (ROOT / "tests" / "faults.toml").read_text(encoding="utf-8")
    found: list[Fault] = tomllib.loads(text)["fault"]
    return [one for one in found if all(word in str(one) for word in words)]


def fits(fault: Fault) -> bool:
    """The line to change stands in this project exactly once, and so does the test's file."""
    file, test = ROOT / fault["file"], ROOT / fault["test"].partition("::")[0]
    return (
        file.exists()
        and test.exists()
        and file.read_text(encoding="utf-8").count(fault["old"]) == 1
    )


def environment(copy: Path) -> dict[str, str]:
    return {"APP_ENV": "test", "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}


@contextlib.contextmanager
def copies() -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory(prefix="faults") as folder, contextlib.ExitStack() as kept:
        found = [Path(folder) / str(number) for number in range(WORKERS)]
        for copy in found:
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        for said in [kept.enter_context(keeper(copy)) for copy in found]:
            # All but this project's own, of which each test reads its copy's.
            names = json.loads(said() or "[]")
            _import([name for name in names if name.partition(".")[0] not in {"app", "__main__"}])
        yield found


@contextlib.contextmanager
def keeper(copy: Path) -> Iterator[Callable[[], str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER],
        cwd=copy,
        env=os.environ | environment(copy),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline
    finally:
        process.stdin.close()
        process.wait()


def _import(names: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def begin(copy: Path, *tests: str, migrated: bool = True) -> int:
    """Start these tests in a fork of this process, and give its id."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 70
    try:
        signal.alarm(SECONDS)
        os.chdir(copy)
        os.environ.pop("TEST_DATABASE_ADMIN_URL", None)
        os.environ |= environment(copy) | ({"TEST_DATABASE_TEMPLATE": KEPT} if migrated else {})
        sys.path[0], sys.dont_write_bytecode = str(copy), True
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        already = "ignore::pytest.PytestAssertRewriteWarning"
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-W", already, *tests])
        sys.stdout.flush()
    finally:
        os._exit(code)


def ended(running: dict[int, Path]) -> tuple[Path, int]:
    """The copy whose tests are over next, and their code; negative when they were killed."""
    while True:
        for pid, copy in running.items():
            over, status = os.waitpid(pid, os.WNOHANG)
            if over:
                del running[pid]
                return copy, os.waitstatus_to_exitcode(status)
        time.sleep(0.02)


@contextlib.contextmanager
def planted(copy: Path, fault: Fault) -> Iterator[None]:
    path = copy / fault["file"]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(fault["old"], fault["new"]), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def all_pass(found: list[Path], tests: list[str]) -> bool:
    """Without any fault; what fails is shown."""
    shares = {copy: tests[number :: len(found)] for number, copy in enumerate(found)}
    running = {begin(copy, *share): copy for copy, share in shares.items() if share}
    good = True
    while running:
        copy, code = ended(running)
        if code:
            print((copy / "output.txt").read_text(encoding="utf-8")[-4000:])
            good = False
    return good


def see(found: list[Path], waiting: list[Fault]) -> list[Fault]:
    """Plant each fault and run its test; those that no test noticed."""
    missed, running, free = list[Fault](), dict[int, Path](), [*found]
    now: dict[Path, tuple[Fault, contextlib.ExitStack]] = {}
    left = waiting[::-1]
    while left or running:
        while free and left:
            copy, fault, undo = free.pop(), left.pop(), contextlib.ExitStack()
            undo.enter_context(planted(copy, fault))
            now[copy] = fault, undo
            migrated = not any(part in fault["file"] for part in MIGRATED)
            running[begin(copy, fault["test"], migrated=migrated)] = copy
        copy, code = ended(running)
        fault, undo = now.pop(copy)
        undo.close()
        free.append(copy)
        # Tests that do not even start show nothing: only a failure counts.
        print(f"{'noticed' if code == 1 else 'MISSED '}  {fault['what']}", flush=True)
        if code != 1:
            print((copy / "output.txt").read_text(encoding="utf-8")[-1000:] if code else "")
            missed.append(fault)
    return missed


def main() -> int:
    chosen = faults(sys.argv[1:])
    here = [one for one in chosen if fits(one)]
    if not here:
        print("No fault fits.")
        return 1
    began = time.monotonic()
    with copies() as found:
        if not all_pass(found, sorted({one["test"] for one in here})):
            print("Without any fault one of these tests fails.")
            return 1
        missed = see(found, here)
    for fault in missed:
        print(f"No test noticed: {fault['what']} ({fault['file']}, {fault['test']})")
    unfit, minutes = len(chosen) - len(here), (time.monotonic() - began) / 60
    print(
        f"{len(here) - len(missed)} noticed, {len(missed)} missed, {unfit} passed over,"
        f" in {minutes:.0f} minutes"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
