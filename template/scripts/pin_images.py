"""Write into compose.override.yml which digest each image of others has now: `make pin`.

A version is a name that its maker can give to something else; a digest is not. Docker asks the
registries, so this needs both. What else stands in compose.override.yml stays.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parent.parent
OVERRIDE = ROOT / "compose.override.yml"
BEGIN, END = "  # Pinned by `make pin`; write nothing between these lines.\n", "  # End of pins.\n"


def images(compose: str) -> dict[str, str]:
    """The image of each service that is not built here."""
    found, service = {}, ""
    for line in compose.partition("\nservices:\n")[2].splitlines():
        if match := re.fullmatch(r"  ([\w-]+):", line):
            service = match[1]
        elif match := re.fullmatch(r"    image: ([\w./-]+:[\w.-]+)", line):
            found[service] = match[1]
    return found


def digest(image: str) -> str:
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}"]
    try:
        done = subprocess.run([*command, image], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit("Docker is needed and not installed.")
    found = done.stdout.strip()
    if done.returncode or not re.fullmatch(r"sha256:[0-9a-f]{64}", found):
        sys.exit(f"No digest of {image}: {done.stderr.strip() or found}")
    return found


def with_pins(text: str, pins: dict[str, str]) -> str:
    """compose.override.yml with these pins instead of those that it had."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2] if rest else ""
    if not rest:
        head, found, tail = before.partition("services:\n")
        before, after = (head + found, tail) if found else (before + "services:\n", "")
    if taken := [name for name in pins if f"\n  {name}:\n" in f"\n{before}{after}"]:
        sys.exit(f"{OVERRIDE.name} has {', '.join(taken)} already: write the image there yourself.")
    lines = "".join(f"  {name}:\n    image: {image}\n" for name, image in pins.items())
    return before + BEGIN + lines + END + after


def main() -> None:
    found = images((ROOT / "compose.yml").read_text(encoding="utf-8"))
    pins = {name: f"{image}@{digest(image)}" for name, image in found.items()}
    text = OVERRIDE.read_text(encoding="utf-8") if OVERRIDE.exists() else ""
    OVERRIDE.write_text(with_pins(text, pins), encoding="utf-8")
    print(f"Pinned {', '.join(pins)} in {OVERRIDE.name}.")


if __name__ == "__main__":
    main()
