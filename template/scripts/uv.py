"""Run uv; fetch it through pip into .local/uv when this machine has none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(".local") / "uv"
WANTED = "uv>=0.8,<1"


def find() -> str:
    """The uv to run, fetched now if need be."""
    found = shutil.which("uv")
    if found and _runs(found):
        return found
    fetched = FOLDER / ("Scripts/uv.exe" if os.name == "nt" else "bin/uv")
    if not fetched.exists():
        _fetch()
    return str(fetched.absolute())


def _runs(program: str) -> bool:
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


def _fetch() -> None:
    print("Fetching uv into .local/uv ...", flush=True)
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(
            f"{FOLDER.absolute()} cannot be made: {error.strerror}."
            " Mend that, or work in another folder."
        )
    environment = subprocess.run(
        [sys.executable, "-m", "venv", str(FOLDER)], capture_output=True, check=False
    )
    if environment.returncode == 0:
        python = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        install = [str(python), "-m", "pip", "install", "--quiet", WANTED]
    else:
        # Debian ships venv apart; pip alone can lay out the same folder.
        shutil.rmtree(FOLDER, ignore_errors=True)
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--prefix", str(FOLDER)]
        install += ["--ignore-installed", WANTED]
    if subprocess.run(install, check=False).returncode:
        shutil.rmtree(FOLDER, ignore_errors=True)
        sys.exit(
            "uv could not be fetched. Without a network, or with HTTPS_PROXY pointing nowhere,"
            " mend that. Else install uv by hand (docs.astral.sh/uv), or give this Python its venv"
            " or pip (Debian: apt install python3-venv). Then run this again."
        )


if __name__ == "__main__":
    try:
        sys.exit(subprocess.run([find(), *sys.argv[1:]], check=False).returncode)
    except KeyboardInterrupt:
        sys.exit(130)
