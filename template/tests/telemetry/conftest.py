"""Reads figures as Prometheus does: over a socket."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest

from app.telemetry import rows
from app.telemetry.listener import listening
from tests.conftest import free_port

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Told:
    """What `/metrics` said."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = [SAMPLE.fullmatch(line) for line in text.splitlines() if not line.startswith("#")]
        assert all(found), text
        self.samples = [(one[1], dict(LABEL.findall(one[2] or "")), float(one[3])) for one in found]

    def of(self, name: str, /, **labels: str) -> float:
        """The sum of all samples with these labels; 0 for none."""
        return sum(
            value
            for found, given, value in self.samples
            if found == name and labels.items() <= given.items()
        )


Look = Callable[[], Awaitable[Told]]


@pytest.fixture
async def look(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Look]:
    """`await look()` reads everything anew."""
    monkeypatch.setattr(rows, "LONGEST", 60.0)  # a busy machine may need more than people wait
    configure(METRICS_PORT=free_port(), METRICS_ROWS_SECONDS=60)
    async with listening() as port, httpx2.AsyncClient() as reader:

        async def read() -> Told:
            rows._read_at = None
            for _ in range(2):  # what is new is told as 0 once
                found = await reader.get(f"http://127.0.0.1:{port}/metrics")
            assert found.status_code == 200
            assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
            return Told(found.text)

        yield read
    rows._read_at = None
