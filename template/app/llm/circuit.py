"""How well a provider's model has been answering, and whether it is left alone for a while.

Each process counts for itself. What it concludes stands in one row that the others read, at most
once a second and never while a call waits: a healthy provider costs no query.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from time import monotonic
from typing import Any, LiteralString
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg

from app.core.logging import log
from app.core.metrics import Gauge
from app.limits import connections
from app.llm.port import Provider
from app.llm.settings import LLMSettings

WINDOW_SECONDS = 60
REMEMBERED = 20
SECONDS_BETWEEN_LOOKS = 1.0
# Each time that it is still unwell it is left alone for twice as long, up to this many times.
LONGEST_FACTOR = 8

OPEN: LiteralString = (
    "INSERT INTO llm_rests (id, until, times)"
    " VALUES (%(id)s, clock_timestamp() + make_interval(secs => %(seconds)s), %(times)s)"
    " ON CONFLICT (id) DO UPDATE SET until = excluded.until, times = excluded.times"
)
# One process gets the row, and with it the right to try.
PROBE: LiteralString = (
    "UPDATE llm_rests SET until = clock_timestamp() + make_interval(secs => %(seconds)s)"
    " WHERE id = %(id)s AND until <= clock_timestamp() RETURNING true"
)
CLOSE: LiteralString = "DELETE FROM llm_rests WHERE id = %(id)s"
LOOK: LiteralString = (
    "SELECT array_agg(id), array_agg(extract(epoch FROM until - clock_timestamp())::float8),"
    " array_agg(times) FROM llm_rests"
)

_circuits: dict[UUID, "Circuit"] = {}
_working: set[asyncio.Task[None]] = set()
_looked_at = 0.0


class Circuit:
    def __init__(self, key: UUID, provider: str = "", model: str = "") -> None:
        self.key = key
        self.called = provider, model
        self.times = 0
        """How often in a row it was found unwell; 0 while it is well."""
        self.until = 0.0
        self.told = False
        """The row is known to be there, so that its absence means that it is well again."""
        self.findings = 0
        """How often this process has found something out itself."""
        self.unwritten = 0
        """How much of that no other process can read yet."""
        self._recent: deque[tuple[float, bool]] = deque(maxlen=REMEMBERED)

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.until - monotonic()) if self.times else 0.0

    def succeeded(self) -> None:
        self._recent.append((monotonic(), True))
        if self.times:
            self.close()
            self._found(_run(CLOSE, {"id": self.key}))

    def failed(self) -> None:
        self._recent.append((monotonic(), False))
        least = LLMSettings.load().breaker_failures
        since = monotonic() - WINDOW_SECONDS
        recent = [went_well for moment, went_well in self._recent if moment > since]
        failures = recent.count(False)
        if self.times or (least and failures >= least and failures * 2 >= len(recent)):
            self._open()

    def open(self, seconds: float, times: int) -> None:
        self.until, self.times, self.told = monotonic() + seconds, times, True

    def close(self) -> None:
        self.times, self.told = 0, False
        self._recent.clear()

    async def may_probe(self) -> bool:
        """Whether this call is the one that finds out if the provider is well again."""
        seconds = LLMSettings.load().first_token_seconds
        self.until = monotonic() + seconds  # No other call of this process, at once.
        self.findings += 1
        try:
            values = {"id": self.key, "seconds": seconds}
            return not self.told or await connections.fetch(PROBE, values) is not None
        except (psycopg.Error, TimeoutError):
            return True

    def _open(self) -> None:
        seconds = LLMSettings.load().breaker_seconds * min(2**self.times, LONGEST_FACTOR)
        self.times += 1
        self.until, self.told = monotonic() + seconds, False
        log.warning("llm.left_alone", seconds=seconds, times=self.times)
        self._found(self._tell(seconds))

    async def _tell(self, seconds: float) -> None:
        await _run(OPEN, {"id": self.key, "seconds": seconds, "times": self.times})
        self.told = True

    def _found(self, writing: Coroutine[Any, Any, None]) -> None:
        self.findings += 1
        self.unwritten += 1
        _do(self._written(writing))

    async def _written(self, writing: Coroutine[Any, Any, None]) -> None:
        try:
            await writing
        finally:
            self.unwritten -= 1


def of(provider: Provider) -> Circuit:
    """The circuit of a provider, a model and an address."""
    address = getattr(provider, "address", "")
    key = uuid5(NAMESPACE_URL, f"{provider.name}\0{provider.model}\0{address}")
    found = _circuits.get(key)
    if found is None:
        found = _circuits[key] = Circuit(key, provider.name, provider.model)
    return found


def _resting() -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for one in _circuits.values():
        found[one.called] = max(found.get(one.called, 0), float(one.seconds_left > 0))
    return found


Gauge(
    "app_model_left_alone",
    "1 while a model that kept failing is not asked.",
    "provider",
    "model",
    read=_resting,
)


def look() -> None:
    """Read soon, and not now, what other processes found."""
    global _looked_at
    if monotonic() - _looked_at >= SECONDS_BETWEEN_LOOKS:
        _looked_at = monotonic()
        _do(_look())


async def settled() -> None:
    """Wait until what was found out is written down."""
    while _working:
        await asyncio.wait(_working)


async def _look() -> None:
    # What this process finds out meanwhile is newer than what it reads.
    findings = {one: one.findings for one in _circuits.values() if not one.unwritten}
    row = await connections.fetch(LOOK, {})
    ids, left, times = row if row and row[0] else ([], [], [])
    read = dict(zip(ids, zip(left, times, strict=True), strict=True))
    for circuit, known in findings.items():
        if circuit.findings != known:
            continue
        if circuit.key in read:
            circuit.open(*read[circuit.key])
        elif circuit.told:
            circuit.close()


async def _run(statement: LiteralString, values: dict[str, Any]) -> None:
    await connections.fetch(statement, values)


def _do(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(_quietly(work))
    _working.add(task)
    task.add_done_callback(_working.discard)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except (psycopg.Error, TimeoutError) as error:
        # Each process goes by what it has seen itself.
        log.warning("llm.breaker_not_shared", error=type(error).__name__)
