"""Do packages that the image holds have known weaknesses? `make audit`, which gates.

pip-audit calls it a success when it could not ask about a package. Here that fails: an audit that
saw nothing has found nothing. Exceptions stand in docs/security/exceptions.toml, each with a reason
and a day on which it ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import tools
import uv

EXCEPTIONS = tools.ROOT / "docs" / "security" / "exceptions.toml"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        subprocess.run(
            [uv.find(), "export", "--quiet", "--locked", "--no-dev", "--no-group", "embedded",
             "--no-emit-project", "--format", "requirements-txt", "--output-file", str(wanted)],
            cwd=tools.ROOT, check=True,
        )  # fmt: skip
        done = tools.run("pip-audit", "--requirement", str(wanted), "--require-hashes",
                         "--disable-pip", "--format", "json")  # fmt: skip
        # Some are for other systems only, and nobody looks at those here.
        lines = wanted.read_text(encoding="utf-8").splitlines()
        count = sum(line[:1].isalnum() and " ; " not in line for line in lines)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"pip-audit said nothing that can be read:\n{done.stderr[-2000:]}")
    today = datetime.now(UTC).date()
    found = problems(told, count, exceptions(EXCEPTIONS), today)
    print("\n".join(found) or f"None of {count} packages has a known weakness.")
    sys.exit(bool(found))


def exceptions(path: Path) -> dict[str, dict[str, Any]]:
    """By the name of the weakness."""
    found: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    return found


def problems(
    told: dict[str, Any], count: int, allowed: dict[str, dict[str, Any]], today: date
) -> list[str]:
    """What pip-audit told, against what it had to look at."""
    packages = told["dependencies"]
    skipped = [one for one in packages if "skip_reason" in one]
    found = [f"{one['name']}: not looked at, {one['skip_reason']}" for one in skipped[:10]]
    if skipped[10:]:
        found.append(f"and {len(skipped) - 10} more that were not looked at")
    if len(packages) < count:
        found.append(f"{count} packages are locked, {len(packages)} were looked at")
    used = set()
    for one in packages:
        for weakness in one.get("vulns", ()):
            names = {weakness["id"], *weakness.get("aliases", ())}
            exception = next((allowed[name] for name in names if name in allowed), None)
            used |= names
            if exception is None or exception["until"] < today:
                fixed = ", ".join(weakness["fix_versions"]) or "no version yet"
                ended = "" if exception is None else f"; its exception ended {exception['until']}"
                found.append(
                    f"{one['name']} {one['version']}: {weakness['id']}, fixed in {fixed}{ended}"
                )
    if not skipped:
        unused = set(allowed) - used
        found += [f"{name}: an exception for nothing that is there" for name in sorted(unused)]
    return found


if __name__ == "__main__":
    main()
