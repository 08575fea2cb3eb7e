"""Whom Alertmanager tells: `nobody` may stay empty, every other receiver is somebody's telephone.

Releases and `cluster.sh` say so, since an alert that reaches nobody looks like no alert.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PLACE = Path("ops") / "alertmanager" / "alertmanager.yml"
ROOT = Path(__file__).absolute().parent.parent


def unheard(text: str) -> list[str]:
    """Receivers that lead nowhere."""
    said = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    block = re.split(r"^receivers:", said, flags=re.M)[-1]
    block = re.split(r"^[a-z_]+:", block, flags=re.M)[0]
    found = []
    for one in re.split(r"^\s*-\s+name:\s*", block, flags=re.M)[1:]:
        name, _, rest = one.partition("\n")
        name = name.partition("#")[0].strip(" '\"")
        if name != "nobody" and not re.search(r"^\s+\w+_configs:\s*($|#)", rest, re.M):
            found.append(name)
    return found


def warning() -> str:
    """Empty where every alert reaches somebody, or where none of this is here."""
    path = ROOT / PLACE
    names = unheard(path.read_text(encoding="utf-8")) if path.exists() else []
    if not names:
        return ""
    return f"WARNING: nobody is told of alerts ({', '.join(names)}). Say who in {PLACE}."


if __name__ == "__main__" and (told := warning()):
    print(told, file=sys.stderr)
