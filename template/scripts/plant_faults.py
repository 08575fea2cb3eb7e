"""Take each control out of a copy of this project, one at a time, and see a test fail.

python scripts/plant_faults.py [word ...]     all faults, or those whose text holds every word

tests/faults.toml holds the faults. A fault that no test notices is told, and the answer is 1: then
a test is missing. One that does not fit this project's code is passed over.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parent.parent
LEFT_OUT = (".venv", ".local", ".git", "*_cache", "__pycache__", "build", "dist")
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


@contextmanager
def planted(copy: Path, fault: Fault) -> Iterator[None]:
    path = copy / fault["file"]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(fault["old"], fault["new"]), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def fail(copy: Path, *tests: str) -> bool:
    """Whether these tests run and one fails. Those that do not even start show nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in {0, 1}:
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode == 1


def main() -> int:
    chosen = faults(sys.argv[1:])
    here = [one for one in chosen if fits(one)]
    if not here:
        print("No fault fits.")
        return 1
    missed: list[Fault] = []
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(os.cpu_count() or 1):
            copy = Path(folder) / str(number)
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
            copies.put(copy)

        if fail(copy, *{one["test"] for one in here}):
            print("Without any fault one of these tests fails: `make test` says which.")
            return 1

        def see(fault: Fault) -> None:
            copy = copies.get()
            try:
                with planted(copy, fault):
                    seen = fail(copy, fault["test"])
            finally:
                copies.put(copy)
            print(f"{'noticed' if seen else 'MISSED '}  {fault['what']}", flush=True)
            if not seen:
                missed.append(fault)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(see, here))
    for fault in missed:
        print(f"No test noticed: {fault['what']} ({fault['file']}, {fault['test']})")
    unfit = len(chosen) - len(here)
    print(f"{len(here) - len(missed)} noticed, {len(missed)} missed, {unfit} passed over")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
