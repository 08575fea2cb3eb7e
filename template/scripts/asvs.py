"""Write docs/security/asvs.md: OWASP ASVS 5.0, levels 1 and 2, and what shows each requirement.

python scripts/asvs.py                after a test was marked or requirements.toml was changed

A test that shows a requirement is marked `@pytest.mark.asvs("6.5.1")`. A requirement that no test
shows says in docs/security/requirements.toml why. Numbers and levels are the standard's; its words
are at https://owasp.org/www-project-application-security-verification-standard/.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "docs" / "security" / "requirements.toml"
FAULTS = ROOT / "tests" / "faults.toml"
PAGE = ROOT / "docs" / "security" / "asvs.md"
REASONS = {
    "held_by": "held otherwise",
    "documented": "documented",
    "not_applicable": "not applicable",
    "outside": "outside the app",
    "open": "**open**",
}
CHAPTERS = {
    1: "Encoding and sanitization",
    2: "Validation and business logic",
    3: "Web frontend",
    4: "API and web service",
    5: "Files",
    6: "Authentication",
    7: "Sessions",
    8: "Authorization",
    9: "Self-contained tokens",
    10: "OAuth and OpenID Connect",
    11: "Cryptography",
    12: "Secure communication",
    13: "Configuration",
    14: "Data protection",
    15: "Secure coding and architecture",
    16: "Logging and error handling",
    17: "WebRTC",
}
HEAD = """# OWASP ASVS 5.0, levels 1 and 2

What of the [Application Security Verification Standard](https://owasp.org/www-project-application-security-verification-standard/)
5.0.0 this app meets, and the test that shows it. A requirement counts as met when a test marked
with its number passes. *Noticed when planted* names the changes of
[faults.toml](../../tests/faults.toml) that take its control away: `make faults` makes each in a
copy and sees a test fail. *Outside the app* is for whoever runs it. Written by `scripts/asvs.py`
from the markers on the tests; what an answer left out of this project is marked all the same.
*Held otherwise* names what holds it instead of a test: a rule of the linter, a library, the way
something is built.
"""


@dataclass(frozen=True)
class Shown:
    """A test that shows a requirement: its sentence and its file below tests/."""

    sentence: str
    file: str

    def __str__(self) -> str:
        return f"{self.sentence} (`{self.file}`)"


def order(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


@cache
def requirements() -> dict[str, dict[str, str | int]]:
    found: dict[str, dict[str, str | int]] = tomllib.loads(REQUIREMENTS.read_text(encoding="utf-8"))
    return dict(sorted(found.items(), key=lambda item: order(item[0])))


@cache
def marked() -> dict[str, list[Shown]]:
    """By requirement, the tests that are marked with it."""
    found: dict[str, list[Shown]] = {}
    tests = ROOT / "tests"
    for path in sorted(tests.rglob("test_*.py")):
        written = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(written)) if "mark.asvs(" in written else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                sentence = node.name.removeprefix("test_").replace("_", " ")
                for number in numbers(node):
                    found.setdefault(number, []).append(
                        Shown(sentence, path.relative_to(tests).as_posix())
                    )
    return found


def numbers(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for one in test.decorator_list:
        if isinstance(one, ast.Call) and ast.unparse(one.func) == "pytest.mark.asvs":
            yield from (ast.literal_eval(argument) for argument in one.args)


def planted() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(FAULTS.read_text(encoding="utf-8"))["fault"]
    return found


def faults() -> dict[str, list[str]]:
    """By requirement, what is broken on purpose to see its tests fail."""
    found: dict[str, list[str]] = {}
    for fault in planted():
        for number in fault.get("asvs", []):
            found.setdefault(number, []).append(fault["what"])
    return found


def rows() -> dict[str, str]:
    """The line of each requirement."""
    tests, broken = marked(), faults()
    lines = {}
    for number, one in requirements().items():
        reason = next((name for name in REASONS if name in one), "")
        if shown := tests.get(number, []):
            state, how = "met", "; ".join(map(str, shown))
            if reason == "open":
                state, how = "**partly**", f"{how}. Open: {one['open']}"
        else:
            state, how = REASONS[reason], str(one[reason])
        proof = "; ".join(sorted(broken.get(number, [])))
        lines[number] = f"| {number} | L{one['level']} | {state} | {how} | {proof} |"
    return lines


def page() -> str:
    lines, found = [HEAD], rows()
    states = [line.split(" | ")[2] for line in found.values()]
    counts = ", ".join(f"{states.count(one)} {one.strip('*')}" for one in dict.fromkeys(states))
    lines.append(f"Of {len(found)} requirements: {counts}.")
    met = [line for line in found.values() if line.split(" | ")[2] == "met"]
    proved = [line for line in met if not line.endswith("|  |")]
    lines.append(
        f"{len(planted())} faults are planted; of the {len(met)} requirements that are met,"
        f" {len(proved)} have one of their own."
    )
    chapter = 0
    for number, line in found.items():
        if chapter != (chapter := order(number)[0]):
            lines += ["", f"## {chapter} {CHAPTERS[chapter]}", ""]
            lines += ["| Requirement | Level | State | Shown by | Noticed when planted |"]
            lines += ["| --- | --- | --- | --- | --- |"]
        lines.append(line)
    return "\n".join(lines) + "\n"


def elsewhere() -> list[str]:
    """Requirements that only tests show which an answer left out of this project."""
    return [
        number
        for number, one in requirements().items()
        if number not in marked() and not one.keys() & REASONS.keys()
    ]


if __name__ == "__main__":
    if gone := elsewhere():
        sys.exit(f"The page stays as it came: tests of {', '.join(gone)} are not in this project.")
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
