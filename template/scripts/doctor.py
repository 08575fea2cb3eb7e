"""Find what `copier update` leaves behind without a word, and say what to do about it.

Run it before you commit an update. It exits with 1 when something needs a decision; with
--commit, as the git hook calls it, only when a conflict is still in a file.
"""

import subprocess
import sys
from pathlib import Path

ANSWERS = ".copier-answers.yml"


def main() -> None:
    if not git("rev-parse", "--show-toplevel"):
        sys.exit("The doctor reads git's history, and this is not a git repository: `make setup`.")
    conflicts, rejects, lost = conflicted_files(), rejected_files(), lost_edits()
    report(
        "Conflicts: edit each file until it says what it should, then `git add` it.",
        conflicts,
    )
    report(
        "Rejected edits of yours: put each hunk where it belongs now, then delete the .rej file.",
        rejects,
    )
    report(
        "Edits of yours that went with a file the update removed or moved.\n"
        "  See what they were with the command beside each, and make them again in its new place.",
        [f"{path}    git diff {base} HEAD -- {path}" for base, path in lost],
    )
    if not (conflicts or rejects or lost):
        print("Nothing lost, nothing in conflict.")
    sys.exit(bool(conflicts or rejects or (lost and "--commit" not in sys.argv)))


def report(what: str, lines: list[str]) -> None:
    if lines:
        print(what, *(f"  {line}" for line in lines), sep="\n", end="\n\n")


def conflicted_files() -> list[str]:
    """Unmerged files, and files with the markers of a conflict that git counts as merged."""
    unmerged = git("diff", "--relative", "--name-only", "--diff-filter=U")
    marked = git("grep", "-I", "--untracked", "-lE", "^(<{7}|>{7}) ")
    return sorted({*unmerged, *marked})


def rejected_files() -> list[str]:
    listed = git("ls-files", "--others", "--cached", "--exclude-standard", "--", "*.rej")
    return sorted(path for path in listed if Path(path).exists())


def lost_edits() -> list[tuple[str, str]]:
    """Files that were edited since the last update and that the update under way has removed.

    Each with the commit of the last update, where the file was still as the template made it.
    """
    if not any(line.startswith("+_commit:") for line in git("diff", "HEAD", "--", ANSWERS)):
        return []
    updates = git("log", "-1", "--format=%h", "-G^_commit:", "--", ANSWERS)
    # A rename with its edits inside is not a loss, so git looks for renames in what is staged too.
    removed = git("diff", "--relative", "--name-only", "--diff-filter=D", "--find-renames", "HEAD")
    if not updates or not removed:
        return []
    since = ("--relative", "--name-only", "--diff-filter=M", updates[0], "HEAD")
    edited = git("diff", *since, "--", *removed)
    return [(updates[0], path) for path in edited]


def git(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return [line for line in done.stdout.splitlines() if line]


if __name__ == "__main__":
    main()
