"""Find the few tests that most of the time goes to, and write them into tests/costly.txt.

python scripts/costly_tests.py [what pytest --durations=0 -vv wrote]

`make test` leaves them to `make test-all`. They are the dearest functions that together take
four fifths of what all tests take which `make test` could run; so the list is the same on a slow
machine. Without a file it runs these tests itself; let nothing else run meanwhile.
"""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIST = ROOT / "tests" / "costly.txt"
SHARE = 4 / 5
HEADER = """\
# The few tests that four fifths of the time goes to; `make test` leaves them to `make test-all`.
# Written by scripts/costly_tests.py. A test of yours carries a marker of its own: `dear`.
"""
LINE = re.compile(r"([\d.]+)s (?:setup|call|teardown) +tests/(.+)")


def main() -> None:
    told = Path(sys.argv[1]).read_text(encoding="utf-8") if sys.argv[1:] else run()
    spent: Counter[str] = Counter()
    cases: dict[str, set[str]] = {}
    for seconds, case in LINE.findall(told):
        name = case.partition("[")[0].strip()
        spent[name] += float(seconds)
        cases.setdefault(name, set()).add(case)
    if not spent:
        sys.exit("No durations there. Give it what `pytest --durations=0 -vv` wrote.")
    left = SHARE * spent.total()
    chosen = []
    for name in sorted(spent, key=lambda one: -spent[one] / len(cases[one])):
        if left <= 0:
            break
        left -= spent[name]
        chosen.append(name)
    LIST.write_text(HEADER + "".join(f"{name}\n" for name in sorted(chosen)), encoding="utf-8")
    print(f"{len(chosen)} of {len(spent)} that take any time stand in {LIST.relative_to(ROOT)}.")


def run() -> str:
    command = [sys.executable, "-m", "pytest", "-m", "not (slow or browser or dear)"]
    done = subprocess.run(
        [*command, "--durations=0", "-vv"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"The tests fail.\n{done.stdout[-4000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
