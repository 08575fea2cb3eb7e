"""A start: the garbage collector stands aside for it, and what few need is not imported."""

import os
import subprocess
import sys

import pytest

from app.core.settings import ROOT
from tests.conftest import free_port

STARTED = """
import gc, sys
from app.serving import create_app
assert create_app().router.routes
assert gc.isenabled()
few = {"webauthn", "joserfc", "pyasn1", "segno", "yaml", "jsonschema_rs"}
assert not few & set(sys.modules), "for the few who need them"
frozen = gc.get_freeze_count()

class Circle:
    pass

left = [Circle() for _ in range(3)]
for one in left:
    one.itself = one
del one, left
assert gc.collect() >= 3
print(frozen, gc.get_freeze_count())
"""


@pytest.mark.dear
def test_what_a_start_makes_is_left_alone_and_what_requests_leave_is_collected() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split()[-2:])
    assert before == after > 100_000


STOPPED = """
import asyncio
from app.clocks import kept
from app.core import db
from app.limits import connections
from app.main import create_app

async def run():
    kept.BEAT_SECONDS = 0
    app = create_app()
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0.1)
    print(connections._pool.cache_info().currsize, db.engine.cache_info().currsize)

asyncio.run(run())
"""


@pytest.mark.dear
def test_what_runs_beside_the_app_ends_before_its_connections_do(database) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == ["0", "0"]
    assert "not_refreshed" not in done.stdout + done.stderr


@pytest.mark.dear
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_cannot_start_ends_as_a_failure(database, tmp_path, workers) -> None:
    """Or who runs it takes it for one that was told to stop."""
    prices = tmp_path / "prices.toml"
    prices.write_text("[openai", encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from app.cli import main; main()", "serve"),
            *("--port", str(free_port()), "--workers", workers),
        ],
        cwd=ROOT,
        env=os.environ | {"USAGE_PRICES_FILE": str(prices)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3
    assert "A price cannot be read" in done.stdout + done.stderr
