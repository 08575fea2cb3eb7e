"""What processes keep: one statement asks for all of it, and each part stands for itself."""

import asyncio
from importlib import util
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.core import db
from app.core.errors import Unavailable

# Once more, and only for this file: the app that other tests have started has a beat, too, and
# would ask and read between ours.
SPEC = util.find_spec("app.clocks.kept")
kept = util.module_from_spec(SPEC)
SPEC.loader.exec_module(kept)


@pytest.fixture
def clocks(monkeypatch):
    """The database's clocks, which a test sets, and how often they were asked for."""
    ticks, asked = {}, []

    async def fetch_all(*_):
        asked.append(1)
        return [*ticks.items()]

    monkeypatch.setattr(kept, "fetch_all", fetch_all)
    monkeypatch.setattr(kept, "_all", [])
    monkeypatch.setattr(kept, "BEAT_SECONDS", 0)
    return ticks, asked


class Reader:
    """Counts how often it was read, and can be held up or broken."""

    def __init__(self, name):
        self.reads = 0
        self.wait = self.error = None
        self.kept = kept.Kept(name, self.read, Unavailable)

    async def read(self):
        self.reads += 1
        found = self.reads
        if self.error:
            raise self.error
        if self.wait:
            await self.wait.wait()
        return found


async def beats(asked, number):
    """So many whole beats."""
    until = len(asked) + number + 1
    beat = asyncio.create_task(kept.beat())
    try:
        async with asyncio.timeout(20):
            while len(asked) < until:
                await asyncio.sleep(0)
    finally:
        beat.cancel()


async def test_a_beat_is_one_statement_and_reads_only_what_moved(clocks):
    ticks, asked = clocks
    one, other = Reader("one"), Reader("other")
    ticks["one"] = 1
    await beats(asked, 3)
    assert (one.reads, other.reads) == (1, 1)
    ticks["other"] = 1
    before = len(asked)
    await beats(asked, 3)
    assert (one.reads, other.reads) == (1, 2)
    assert len(asked) == before + 4
    assert await other.kept.ready() == 2
    # Asking cost nothing, and a clock that went back, as after a restore, is a change too.
    assert len(asked) == before + 4
    ticks["other"] = 0
    await other.kept.refresh()
    assert other.kept.known == 3


async def test_what_cannot_be_read_keeps_nothing_else_from_being_read(clocks, monkeypatch):
    ticks, asked = clocks
    broken, well = Reader("broken"), Reader("well")
    await beats(asked, 1)
    broken.error = ValueError("It holds what nobody expected.")
    ticks |= {"broken": 1, "well": 1}
    told = []
    monkeypatch.setattr(kept, "log", SimpleNamespace(error=lambda event, **_: told.append(event)))
    await beats(asked, 3)
    assert (broken.kept.known, well.kept.known) == (1, 2)
    assert broken.reads > 2  # It goes on trying, and
    assert told == ["clocks.not_refreshed"]  # says so once.
    broken.error = None
    await beats(asked, 1)
    assert broken.kept.known == broken.reads


async def test_what_began_to_be_read_earlier_does_not_replace_what_is_newer(clocks):
    ticks, _ = clocks
    slow = Reader("slow")
    await slow.kept.refresh()
    ticks["slow"], slow.wait = 1, asyncio.Event()
    early = asyncio.create_task(slow.kept.refresh())
    while slow.reads < 2:
        await asyncio.sleep(0)
    ticks["slow"], held, slow.wait = 2, slow.wait, None
    await slow.kept.refresh()
    held.set()
    await early
    assert slow.kept.known == 3
    await slow.kept.refresh()
    assert slow.reads == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clocks SET ticks = 0",
        "INSERT INTO clocks (id, name, ticks) VALUES (gen_random_uuid(), 'x', 1)",
        "DELETE FROM clocks",
    ],
)
async def test_nobody_hides_a_change_from_the_processes(database, statement):
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with db.transaction() as session:
            await session.execute(text(statement))
