"""Make this clone ready: secrets, git, packages, git hooks, and in a new project the pages of docs/
that follow from its code. Running it again changes nothing.

Needs Python 3.11 and git; everything else it brings along.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

ROOT = Path(__file__).absolute().parent.parent
READY = Path(".venv") / ".ready"
# What `.env` must hold before anything starts; compose.yml reads the last twelve.
SECRETS = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "ENCRYPTION_KEYS": lambda: (
        f"{secrets.token_hex(4)}:{b64encode(secrets.token_bytes(32)).decode()}"
    ),
    "POSTGRES_PASSWORD": lambda: secrets.token_urlsafe(32),
    "DATABASE_APP_PASSWORD": lambda: secrets.token_urlsafe(32),
    "DATABASE_OWNER_PASSWORD": lambda: secrets.token_urlsafe(32),
    "DATABASE_BACKUP_PASSWORD": lambda: secrets.token_urlsafe(32),
    "OBJECTS_PASSWORD": lambda: secrets.token_urlsafe(32),
    "LITELLM_MASTER_KEY": lambda: f"sk-{secrets.token_urlsafe(36)}",
    "METRICS_TOKEN": lambda: secrets.token_urlsafe(32),
    # Where Elasticsearch keeps the log.
    "ELASTIC_PASSWORD": lambda: secrets.token_urlsafe(24),
    "KIBANA_PASSWORD": lambda: secrets.token_urlsafe(24),
    "COLLECTOR_PASSWORD": lambda: secrets.token_urlsafe(24),
    "GRAFANA_READER_PASSWORD": lambda: secrets.token_urlsafe(24),
    "GRAFANA_PASSWORD": lambda: secrets.token_urlsafe(24),
}
HEADER = """\
# The settings of this clone, with secrets made for it alone. Git never sees this file.
# docs/settings.md lists every setting. A key for the model provider: LLM_API_KEY=...
"""


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 who starts this script has any Python
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    os.chdir(ROOT)
    write_secrets(Path(".env"))
    own_repository = prepare_git()
    install()
    if own_repository and not os.environ.get("CI"):
        install_hooks()
    if not os.environ.get("CI") and pages_are_of_another():
        write_pages()
    READY.touch()
    print("Ready: `make dev` runs it, `make help` lists the rest.")


def write_secrets(path: Path) -> None:
    """Add the secrets that are missing; never touch one that is there."""
    is_new = not path.exists()
    text = HEADER if is_new else path.read_text(encoding="utf-8")
    present = {line.partition("=")[0].strip() for line in text.splitlines()}
    missing = [name for name in SECRETS if name not in present]
    if missing:
        if not text.endswith("\n"):
            text += "\n"
        text += "".join(f"{name}={SECRETS[name]()}\n" for name in missing)
        write_private(path, text)
        print(f"Wrote {f'{len(missing)} secrets' if is_new else ', '.join(missing)} to .env.")
    path.chmod(0o600)


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; at no moment can others read it."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode())
    draft.replace(path)


def prepare_git() -> bool:
    """True when this folder is the top of a git repository, which it becomes when it is in none."""
    top = git("rev-parse", "--show-toplevel")
    # A folder that another repository ignores, such as a build folder, is not part of it.
    if top is None or (Path(top) != ROOT and git("check-ignore", "-q", str(ROOT)) is not None):
        subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], check=True)
        print("Made a git repository.")
        return True
    return Path(top).resolve() == ROOT.resolve()


def git(*arguments: str) -> str | None:
    """What git says, or None when it refuses."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit("git is needed and not installed.")
    return None if done.returncode else done.stdout.strip()


def install() -> None:
    """Lock what is not locked yet and bring .venv to it; CI takes the lock file as it is."""
    import uv

    command = [uv.find(), "sync"]
    if os.environ.get("CI") and Path("uv.lock").exists():
        command.append("--locked")
    if not Path(".venv").exists():
        command += ["--python", sys.executable]
    if sys.dont_write_bytecode:
        # Where Python may not keep what it compiles, each start would compile all packages again.
        command.append("--compile-bytecode")
    print("Installing packages ...", flush=True)
    if code := subprocess.run([*command, "--quiet"], check=False).returncode:
        sys.exit(code)


def install_hooks() -> None:
    done = subprocess.run(
        [str(programs() / "pre-commit"), "install"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"No git hooks: {(done.stderr or done.stdout).strip()}")


def programs() -> Path:
    return Path(".venv") / ("Scripts" if os.name == "nt" else "bin")


def pages_are_of_another() -> bool:
    """As rendered: git knows no page yet, or one tells of a module that was left out."""
    page = Path("docs") / "settings.md"
    if not page.exists():
        return False
    modules = re.findall(r"^## (\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    known = git("ls-files", page.as_posix())
    return not known or not all((Path("app") / one / "settings.py").exists() for one in modules)


def write_pages() -> None:
    """They came with every option's lines; from now on they tell of this project."""
    done = subprocess.run(
        [str(programs() / "python"), "scripts/document.py"], capture_output=True, check=False
    )
    if done.returncode:
        print(
            "Pages of docs/ still tell of every option: `make docs` writes them, or says why not."
        )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Stopped. `make setup` goes on from here.")
