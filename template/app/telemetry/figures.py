"""What this process counted, as a line of the log every so often.

A cloud's containers have no Prometheus beside them, but each has a store of their log that knows
which version wrote a line. Who releases there reads these lines: scripts/ship/gradual.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from app.core.logging import log
from app.core.metrics import METRICS, Counter
from app.telemetry.settings import MetricsSettings


def _sum(name: str, label: str = "", *wanted: str) -> Callable[[], float]:
    def read() -> float:
        found = METRICS.get(name)
        return found.total(label, *wanted) if isinstance(found, Counter) else 0.0

    return read


# The chart's analysis asks Prometheus for the same counters.
COUNTED = {
    "requests": _sum("app_slo_events_total", "slo", "availability"),
    "failed": _sum("app_slo_bad_total", "slo", "availability"),
    "timed": _sum("app_slo_events_total", "slo", "latency", "first_token"),
    "slow": _sum("app_slo_bad_total", "slo", "latency", "first_token"),
    "answered": _sum("app_model_calls_total", "outcome", "answered"),
    "unanswered": _sum("app_model_calls_total", "outcome", "failed", "withheld"),
    "dollars": _sum("app_model_cost_dollars_total"),
}


@asynccontextmanager
async def figures_told() -> AsyncIterator[None]:
    """Tell while the block runs, and what is left at its end; if the settings say so."""
    seconds = MetricsSettings.load().log_seconds
    if not seconds:
        yield
        return
    known = {name: read() for name, read in COUNTED.items()}
    telling = asyncio.create_task(_tell_every(seconds, known))
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        _tell(known)


async def _tell_every(seconds: float, known: dict[str, float]) -> None:
    while True:
        await asyncio.sleep(seconds)
        _tell(known)


def _tell(known: dict[str, float]) -> None:
    now = {name: read() for name, read in COUNTED.items()}
    log.info(
        "metrics.figures",
        release=MetricsSettings.load().release,
        **{name: round(number - known[name], 6) for name, number in now.items()},
    )
    known.update(now)
