"""Jobs that write to a file what they do, for tests and the worker processes they start."""

import asyncio
from pathlib import Path

from app.core.db import transaction
from app.jobs.queue import Attempt, GiveUp, attempt, every, task
from app.users.models import Organization

QUEUE = "sample"
seen: dict[str, list[Attempt]] = {}
scheduled = asyncio.Event()


def note(path: str, word: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{word}\n")


def notes(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split() if path.exists() else []


@task("sample.note", queue_name=QUEUE)
async def write(path: str, word: str = "ran") -> None:
    note(path, word)


@task("sample.slow", queue_name=QUEUE)
async def slow(path: str, seconds: float) -> None:
    note(path, "started")
    await asyncio.sleep(seconds)
    note(path, "finished")


@task("sample.held", queue_name=QUEUE)
async def held(path: str, until: str) -> None:
    """Runs until a file is there."""
    note(path, "started")
    while not Path(until).exists():
        await asyncio.sleep(0.02)
    note(path, "finished")


@task("sample.dies", queue_name=QUEUE, retries=0)
async def dies(path: str) -> None:
    note(path, "died")
    import os

    os._exit(9)


@task("sample.fails", queue_name=QUEUE, retries=2, first_wait=0.01)
async def fails(path: str, times: int) -> None:
    seen.setdefault(path, []).append(attempt.get())
    if len(seen[path]) <= times:
        raise RuntimeError("not yet")


@task("sample.twice", queue_name=QUEUE, retries=1, first_wait=0.01)
async def twice(slug: str) -> None:
    async with transaction(elevated=True) as db:
        db.add(Organization(name="Twice", slug=slug))


@task("sample.hopeless", queue_name=QUEUE)
async def hopeless(path: str) -> None:
    note(path, "tried")
    raise GiveUp("never")


@task("sample.hangs", queue_name=QUEUE, retries=0, timeout=0.05)
async def hangs() -> None:
    await asyncio.sleep(60)


@every("* * * * *")
@task("sample.scheduled", queue_name=QUEUE)
async def by_the_clock() -> None:
    scheduled.set()
