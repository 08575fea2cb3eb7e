"""`app/assistant` and `tests/assistant` are a team's own: whatever else stands on them would fall
with what the team changes or deletes there, for updates leave both folders as they are.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TAKEN = re.compile(r"^\s*(?:from|import) ((?:app|tests)\.assistant\b[\w.]*)", re.MULTILINE)


def test_nothing_else_takes_anything_from_there():
    found = {
        path.relative_to(ROOT).as_posix(): taken
        for folder in ("app", "tests", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        if "assistant" not in path.relative_to(ROOT).parts
        and (taken := TAKEN.findall(path.read_text(encoding="utf-8")))
    }
    assert found == {}
