"""Each promised project, rendered, set up, and held to the checks and tests it comes with."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import ANSWER_FILES, INSTALL, Render, answers_of, know_packages

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("known_uv")]

# template/ itself is the project with everything on; `make app` runs its checks and tests.
RENDERED = [path for path in ANSWER_FILES if path.stem != "everything"]
# Five share what `make test` runs: each has a fifth of its files. With nothing on it is all but the
# fifths of the two that differ in least, by their model and one way to sign in, and a tenth of what
# is costly, of browsers too.
# `make test-apps WHOLE=1` runs all of everything, as every night does.
WHOLLY = {"prototype"}
NEAREST = ("internal", "ollama_domain")
SHARING = [path.stem for path in RENDERED if path.stem not in WHOLLY]
ELSEWHERE = f"{','.join(str(SHARING.index(one)) for one in NEAREST)}/{len(SHARING)}"
SHARES = Path(__file__).parent / "shares"


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.stem)
def test_it_passes_its_own_checks_and_tests(render: Render, types_known: Path, path: Path) -> None:
    project = render(**answers_of(path))
    # Several projects run side by side, each with one worker, which waits for its database half of
    # the time. What mypy found out about files holds for all of them: it compares what is in them,
    # not where they are.
    shared = {
        # The one that runs most is the last to end, and has a core to spare by then.
        "PYTEST_XDIST_AUTO_NUM_WORKERS": "2" if path.stem in WHOLLY else "0",
        "MYPY_CACHE_DIR": str(types_known),
        # Where Python may not keep what it compiles, setting up compiles all of every package.
        "PYTHONDONTWRITEBYTECODE": "",
    }

    if not os.environ.get("WHOLE"):
        wholly = path.stem in WHOLLY
        left_out = "slow" if wholly else "slow or browser or dear or costly"
        shared |= {
            "PYTEST_ADDOPTS": f"-p share_of_the_tests -m 'not ({left_out})'",
            "PYTHONPATH": str(SHARES),
            "TESTS_SHARED": "costly" if wholly else "all",
            "TESTS_ELSEWHERE": ELSEWHERE if wholly else "",
            "TESTS_SHARE": "0/10" if wholly else f"{SHARING.index(path.stem)}/{len(SHARING)}",
        }

    for words in (INSTALL, ["setup"], ["check"], ["test-all"]):
        done = subprocess.run(
            ["make", *words],
            cwd=project,
            env=os.environ | shared,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"make {words}\n{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
        if words == INSTALL:
            know_packages(project)
