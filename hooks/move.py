"""Take a project's edits along when a release moves files: `move.py OLD NEW [OLD NEW ...]`.

Copier runs this twice in an update, see hooks/README.md. Before it renders, a moved file is moved
in the project, so that it is not lost. Copier then finds a file that both sides seem to have added
and cannot merge it; afterwards this merges it against what the old release had in the old place.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

import yaml
from copier import run_copy

ANSWERS = ".copier-answers.yml"


def main(arguments: list[str]) -> None:
    moves = list(zip(arguments[::2], arguments[1::2], strict=True))
    if os.environ["STAGE"] == "before":
        for old, new in moves:
            move_tracked(old, new)
    else:
        merge_moved(moves, os.environ["VERSION_FROM"])


def move_tracked(old: str, new: str) -> None:
    """Move the file, or every file below the folder, that git knows; staged, as Copier reads."""
    for source in filter(None, git("ls-files", "-z", "--", old).split("\0")):
        destination = place(source, old, new)
        if not Path(source).exists():
            continue
        if Path(destination).exists():
            print(f"{source} stays, {destination} is there already: move your edits by hand.")
            continue
        Path(destination).parent.mkdir(parents=True, exist_ok=True)
        git("mv", source, destination)
        print(f"{source} -> {destination}")


def place(path: str, old: str, new: str) -> str:
    return str(PurePosixPath(new) / PurePosixPath(path).relative_to(old))


def merge_moved(moves: list[tuple[str, str]], version: str) -> None:
    """Merge what Copier could not, with the file of the old release as the common ancestor."""
    moved = {
        path: str(PurePosixPath(old) / PurePosixPath(path).relative_to(new))
        for old, new in moves
        for path in filter(None, git("ls-files", "-z", "--", new).split("\0"))
    }
    rejected = {
        path: old for path, old in moved.items() if unmerged(path) or rejects(path).exists()
    }
    if not rejected:
        return
    with tempfile.TemporaryDirectory() as folder:
        before = render(version, Path(folder))
        for path, old in rejected.items():
            if (before / old).exists():
                merge(path, before / old)


def render(version: str, folder: Path) -> Path:
    """The project as the old release made it, from the answers that were committed with it."""
    answers = yaml.safe_load(git("show", f"HEAD:./{ANSWERS}"))
    source = answers["_src_path"]
    known = {name: value for name, value in answers.items() if not name.startswith("_")}
    run_copy(
        source, folder / "old", data=known, vcs_ref=version,
        defaults=True, quiet=True, skip_tasks=True,
    )  # fmt: skip
    return folder / "old"


def merge(path: str, base: Path) -> None:
    conflict = unmerged(path)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours", Path(folder) / "theirs"
        ours.write_bytes(blob(f":{2 if conflict else 0}:./{path}"))
        theirs.write_bytes(blob(f":3:./{path}") if conflict else Path(path).read_bytes())
        done = subprocess.run(
            ["git", "merge-file", "-p", "-L", "before updating", "-L", "last update",
             "-L", "after updating", str(ours), str(base), str(theirs)],
            stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
    if done.returncode == 0:
        Path(path).write_bytes(done.stdout)
        git("add", "--", path)
        rejects(path).unlink(missing_ok=True)
    elif conflict:
        # Only the lines that both sides changed, in place of the whole file.
        Path(path).write_bytes(done.stdout)


def unmerged(path: str) -> bool:
    return bool(git("ls-files", "--unmerged", "--", path))


def rejects(path: str) -> Path:
    return Path(path + ".rej")


def blob(name: str) -> bytes:
    return subprocess.run(["git", "show", name], check=True, stdout=subprocess.PIPE).stdout


def git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout


if __name__ == "__main__":
    main(sys.argv[1:])
