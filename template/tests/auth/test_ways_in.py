"""docs/security/ways-in.md names every way in, and what it names is there."""

import re
from pathlib import Path

import pytest

from app.modules import parts

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "security" / "ways-in.md").read_text(encoding="utf-8")
# Starts a session, or says whose a credential is.
OPENS = re.compile(
    r"(?:sign_in|sessions)\.start(?:_session)?\(|(?:await|return await) start\("
    r"|PERFORM start_session\(|async def (?:identify\(credential|organization_of\(header)"
)
# They hand on to those who do.
NO_WAY_OF_THEIR_OWN = {"app/access/credentials.py"}


@pytest.mark.asvs("6.1.3")
def test_no_other_code_lets_anybody_in():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "app").rglob("*.py")
        if OPENS.search(path.read_text(encoding="utf-8"))
    }
    assert "app/auth/sign_in.py" in found
    missing = {path for path in found - NO_WAY_OF_THEIR_OWN if f"`{path}`" not in PAGE}
    assert not missing, "Tell of it in docs/security/ways-in.md."


@pytest.mark.asvs("6.1.3")
def test_what_the_page_names_is_there():
    named = re.findall(r"`((?:app|tests)/\w+/[\w./]+)`", PAGE)
    assert named
    for path in named:
        # What an answer left out is a whole folder, or all pages.
        folder = ROOT.joinpath(*Path(path).parts[:2])
        if path.endswith("pages.py"):
            folder = ROOT / "app" / "web"
        assert (ROOT / path).exists() or not folder.exists(), path


def test_every_method_that_policies_know_is_on_the_page():
    for part in parts("sign_in_method"):
        assert part.LABEL.lower() in PAGE.lower()
