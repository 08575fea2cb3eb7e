"""Back on Kubernetes: to what people had, by what Helm tells of its releases."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from pipelines import TEMPLATE, run
from test_releasing import GIT, IMAGE, stand_ins, ways


def helms(*told: str) -> list[dict[str, object]]:
    """A history as Helm tells it, from "status description"."""
    pairs = (one.partition(" ") for one in told)
    return [
        {"revision": number, "status": status, "description": description}
        for number, (status, _, description) in enumerate(pairs, 1)
    ]


ONCE, UP, BACK = "superseded Install complete", "superseded Upgrade complete", "Rollback to"
HISTORIES: list[tuple[list[str], int | None]] = [
    ([ONCE, UP, "deployed Upgrade complete"], 2),
    (["deployed Install complete"], None),
    # Gone back already: neither to what was bad nor further.
    ([ONCE, UP, UP, f"deployed {BACK} 2"], None),
    ([ONCE, UP, f"superseded {BACK} 1", f"deployed {BACK} 3"], None),
    # What Helm itself took back was never there for people.
    ([ONCE, UP, 'failed Upgrade "demo" failed: timed out', f"deployed {BACK} 2"], 1),
    ([ONCE, UP, f"superseded {BACK} 1", "deployed Upgrade complete"], 1),
    # A release that died in the middle: what stands is what people have.
    ([ONCE, "deployed Upgrade complete", "pending-upgrade Preparing upgrade"], 2),
    (["pending-install Initial install underway"], None),
]


@pytest.mark.parametrize(("told", "target"), HISTORIES)
def test_helm_goes_back_to_what_people_had(
    ship: Callable[[str], ModuleType], told: list[str], target: int | None
) -> None:
    assert ship("helm_back").revision_before(helms(*told)) == target


def test_helm_goes_back_to_the_image_that_is_named(tmp_path: Path) -> None:
    history = json.dumps(helms(ONCE, UP, UP, "deployed Upgrade complete"))
    has = f'*" 2") echo \'{{"image": {{"digest": "{IMAGE.partition("@")[2]}"}}}}\''
    helm = f"case \"$*\" in history*) echo '{history}' ;; {has} ;; get*) echo null ;; esac"
    more = stand_ins(tmp_path / "tools", helm=helm)
    back = (sys.executable, "scripts/ship/helm_back.py", "demo", "demo-staging", "5m")

    done = run(*back, IMAGE, cwd=TEMPLATE, env=more)

    assert done.returncode == 0, done.stderr
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert last == "helm rollback demo 2 --namespace demo-staging --wait --timeout 5m"
    unknown = run(*back, IMAGE.replace("0", "1"), cwd=TEMPLATE, env=more)
    assert unknown.returncode == 1
    assert "Helm knows no registry." in unknown.stderr


def test_bad_figures_take_the_worker_back_too(
    ship: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    """Argo takes back its Rollout only; the worker is Helm's."""
    history = json.dumps(helms(ONCE, "deployed Upgrade complete"))
    helm = f"case $1 in history) echo '{history}' ;; esac"
    more = stand_ins(tmp_path / "tools", helm=helm, kubectl="exit 1")
    for strategy, action in (("canary", "deploy"), ("blue_green", "promote")):
        *_, watched = ways(ship, action, release_strategy=strategy)
        (tmp_path / "log").unlink(missing_ok=True)

        done = run(*GIT[:1], *watched, cwd=TEMPLATE, env=more)

        assert done.returncode == 1, "it was not released"
        assert "helm rollback demo 1 " in (tmp_path / "log").read_text()
