"""Figures that stand in the database, read when somebody looks, and not too often.

A module that has some puts them into its `gauges.py`: metrics, and `async def read(db)`. Each is
read in a transaction of its own whose statements the database ends after two seconds, so that a
table that has grown too large costs its own figures and nothing else.
"""

import asyncio
from time import monotonic
from types import ModuleType

from sqlalchemy import text

from app.core.db import transaction
from app.core.logging import log
from app.core.metrics import Counter, Gauge
from app.modules import parts
from app.telemetry.settings import MetricsSettings

FAILED = Counter("app_figures_failed_total", "Figures that the database did not give.", "module")
BOUND = text(
    "SELECT set_config('statement_timeout', '2000', true),"
    " set_config('transaction_read_only', 'on', true)"
)
LONGEST = 5.0
"""Seconds that all of them together may take; Prometheus waits for ten."""

_read_at: float | None = None
_reading = asyncio.Lock()


def _age() -> float:
    return -1.0 if _read_at is None else monotonic() - _read_at


Gauge("app_figures_age_seconds", "How old the figures of the database are; -1: none.", read=_age)


async def refresh() -> None:
    """Read them when they are older than the settings allow."""
    global _read_at
    async with _reading:
        if _read_at is not None and _age() < MetricsSettings.load().rows_seconds:
            return
        waiting = list(parts("gauges"))
        try:
            async with asyncio.timeout(LONGEST):
                while waiting:
                    await _read(waiting[0])
                    del waiting[0]
        except TimeoutError:
            for part in waiting:
                _failed(part)
        _read_at = monotonic()


async def _read(part: ModuleType) -> None:
    try:
        async with transaction() as db:
            await db.execute(BOUND)
            await part.read(db)
    except Exception as error:  # noqa: BLE001 whatever failed, the other figures are told
        log.warning("figures.failed", module=_module(part), error=type(error).__name__)
        _failed(part)


def _failed(part: ModuleType) -> None:
    FAILED.add(_module(part))
    for metric in vars(part).values():
        if isinstance(metric, Gauge):
            metric.replace({})  # none rather than old ones


def _module(part: ModuleType) -> str:
    return part.__name__.split(".")[1]
