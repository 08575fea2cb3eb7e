"""Answers of hashes wait for each other only while hashes wait for a core, and all are told."""

import asyncio
import threading
from time import monotonic

import pytest

from app.auth import hash_threads
from app.auth.hash_threads import Busy, cores, off_the_loop


@pytest.fixture
def gates():
    """Work that is done when its gate is opened."""
    made = []

    def gate():
        made.append(threading.Event())
        return made[-1]

    yield gate
    for one in made:
        one.set()


@pytest.fixture
async def ask(gates):
    """Asks for work behind a gate; a thread has begun it, if one is free, when it comes back."""

    async def asked(result=None):
        gate, began = gates(), threading.Event()

        def work():
            began.set()
            gate.wait(30)
            if isinstance(result, Exception):
                raise result
            return result

        running = sum(not task.done() for _, task in made) < cores()
        task = asyncio.create_task(off_the_loop(work))
        made.append((gate, task))
        await asyncio.sleep(0)
        while running and not began.is_set():
            await asyncio.sleep(0.001)
        return gate, task

    made = []
    return asked


async def untold(count):
    while len(hash_threads._untold) != count:
        await asyncio.sleep(0.001)


async def test_an_answer_is_told_at_once_when_no_other_hash_waits(ask):
    async with asyncio.timeout(30):
        asked = [await ask(number) for number in range(cores())]
        for number, (gate, task) in enumerate(asked):
            gate.set()
            assert await task == number


async def test_answers_wait_for_each_other_while_hashes_wait(ask, monkeypatch):
    monkeypatch.setattr(hash_threads, "SECONDS_TOGETHER", 1e9)
    monkeypatch.setattr(hash_threads, "TOGETHER", 3)
    async with asyncio.timeout(30):
        asked = [await ask(number) for number in range(cores() + 5)]
        for number, (gate, _) in enumerate(asked[:2], 1):
            gate.set()
            await untold(number)
        assert not any(task.done() for _, task in asked)
        asked[2][0].set()
        assert await asyncio.gather(*(task for _, task in asked[:3])) == [0, 1, 2]
        asked[3][0].set()
        await untold(1)
        asked[4][0].set()  # None waits for a core any more: what is left is told one by one.
        assert await asyncio.gather(*(task for _, task in asked[3:5])) == [3, 4]
        for number, (gate, task) in enumerate(asked[5:], 5):
            gate.set()
            assert await task == number


async def test_no_answer_waits_long_for_others(ask, monkeypatch):
    monkeypatch.setattr(hash_threads, "SECONDS_TOGETHER", 0.05)
    async with asyncio.timeout(30):
        asked = [await ask(number) for number in range(cores() + 5)]
        asked[0][0].set()
        await untold(1)
        until = monotonic() + 0.06
        while monotonic() < until:
            await asyncio.sleep(0.01)
        asked[1][0].set()
        assert await asyncio.gather(*(task for _, task in asked[:2])) == [0, 1]


async def test_an_answer_is_told_when_nobody_asks_for_the_others_any_more(ask, monkeypatch):
    monkeypatch.setattr(hash_threads, "SECONDS_TOGETHER", 1e9)
    async with asyncio.timeout(30):
        asked = [await ask(number) for number in range(cores() + 3)]
        asked[0][0].set()
        await untold(1)
        for _, task in asked[1:]:
            task.cancel()
        await asyncio.sleep(0)
        assert len(hash_threads._open) == cores(), "what waited went, what runs has its core"
        asked[1][0].set()
        assert await asked[0][1] == 0


async def test_a_hash_that_fails_tells_why_and_the_next_goes_on(ask):
    async with asyncio.timeout(30):
        gate, task = await ask(ValueError("no such hash"))
        gate.set()
        with pytest.raises(ValueError, match="no such hash"):
            await task
        gate, task = await ask("fine")
        gate.set()
        assert await task == "fine"


async def test_who_leaves_makes_room_for_who_comes(ask, configure):
    configure(PASSWORD_WAITING=1)
    async with asyncio.timeout(30):
        asked = [await ask(number) for number in range(cores() + 1)]
        with pytest.raises(Busy):
            await off_the_loop(int)
        asked[-1][1].cancel()
        await asyncio.sleep(0)
        _, task = await ask()
        assert not task.done()
        for gate, _ in asked[:-1]:
            gate.set()
        await asyncio.gather(*(task for _, task in asked[:-1]))
        task.cancel()
