"""What pipelines ask of each release, asked of this one: `make smoke` and `make probe`."""

import importlib
import sys
from pathlib import Path

import pytest

import app
from app import modules

pytestmark = pytest.mark.slow

SHIP = Path(app.__file__).parents[1] / "scripts" / "ship"


def test_it_is_well_and_keeps_to_the_baseline(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SHIP))
    client, smoke, probe = map(importlib.import_module, ("client", "smoke", "probe"))
    asked = client.Client(address)

    assert smoke.problems(asked) == []
    # Where mail arrives on a laptop; production has no such page.
    inbox = ["/dev/inbox can be read"] if modules.has("web") else []
    assert list(probe.problems(asked)) == inbox


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    """Their names are common ones; nobody else shall find them."""
    yield
    for name in ("client", "smoke", "probe"):
        sys.modules.pop(name, None)
