"""Take Helm's release back to the version before: helm_back.py RELEASE NAMESPACE TIMEOUT [IMAGE]

`helm rollback` alone goes one number back. After a rollback that is what was bad, and after an
upgrade that failed it is the failed one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any


def main(release: str, namespace: str, timeout: str, image: str = "") -> None:
    place = [release, "--namespace", namespace, "--output", "json"]
    history = json.loads(subprocess.check_output(["helm", "history", *place], text=True))
    if image:
        target = next((one for one in stood(history) if digest(place, one) in image), None)
    else:
        target = revision_before(history)
    if target is None:
        what = f"no {image}" if image else "no version before, or went back to it: name the image"
        sys.exit(f"Helm knows {what}.")
    back = ["helm", "rollback", release, str(target), "--namespace", namespace]
    back += ["--wait", "--timeout", timeout]
    print("+", *back, flush=True)
    sys.exit(subprocess.run(back, check=False).returncode)


def revision_before(history: list[dict[str, Any]]) -> int | None:
    """What people had before what they have now. None once somebody went back: what came before is
    bad, and going further back is for who names it."""
    by_number = {int(one["revision"]): one for one in history}
    newest = max(by_number)
    stands = [number for number, one in by_number.items() if one["status"] == "deployed"]
    # One that died in the middle: what stands is what came before it.
    if by_number[newest]["status"] != "deployed":
        return origin(by_number, max(stands)) if stands else None
    now = origin(by_number, newest)
    had = [number for number, one in by_number.items() if one["status"] == "superseded"]
    if any(now < number and not goes_back_to(by_number[number]) for number in had):
        return None
    before = max((number for number in had if number < now), default=None)
    return origin(by_number, before) if before else None


def stood(history: list[dict[str, Any]]) -> list[int]:
    """Those that people had, the newest first."""
    had = (one for one in history if one["status"] in ("deployed", "superseded"))
    return sorted((int(one["revision"]) for one in had), reverse=True)


def digest(place: list[str], number: int) -> str:
    asked = ["helm", "get", "values", *place, "--revision", str(number)]
    values = json.loads(subprocess.check_output(asked, text=True)) or {}
    return str(values.get("image", {}).get("digest") or "none")


def origin(by_number: dict[int, dict[str, Any]], number: int) -> int:
    """A rollback is a revision of its own; what it brought is the one that it went back to."""
    while (earlier := goes_back_to(by_number[number])) in by_number:
        number = earlier
    return number


def goes_back_to(one: dict[str, Any]) -> int:
    found = re.fullmatch(r"Rollback to (\d+)", one["description"])
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main(*sys.argv[1:])
