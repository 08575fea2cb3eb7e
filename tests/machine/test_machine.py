"""One machine, as compose.yml describes it, with real processes: some fail, nobody notices.

Run by `make machine`, in the app's environment and with the app where it stands. Without Docker:
what runs are the same programs, started with the commands, settings and files of compose.yml.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from app.core import embedded
from docker_server import DockerServer
from load import Noticed, Person, browser
from machine import DEBIAN, PATH, Machine

# Twice the people and the questions that the questionnaire takes for granted.
PEOPLE = 2 * 20
SECONDS_BETWEEN_CHATS = 3600 / (2 * 60)
SECONDS_BETWEEN_LOOKS = 1.5
DOCUMENTS = 12
KEPT = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM conversations)"

missing = [name for name in DEBIAN if not any((Path(p) / name).exists() for p in PATH.split(":"))]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"apt-get install {' '.join(missing)}")


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    os.environ["APP_ENV"] = "test"
    urls = embedded.start(tmp_path / "database", environment="test", durable=False)
    made = Machine(tmp_path, urls.admin)
    try:
        await made.up()
        yield made
    finally:
        made.down()


def rows(machine: Machine, query: str) -> list[tuple[object, ...]]:
    url = machine.admin_url.replace("/postgres?", "/app?")
    with psycopg.connect(url) as admin:
        return admin.execute(query.encode()).fetchall()


async def until(condition, seconds: float, what: str) -> None:
    deadline = monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert monotonic() < deadline, what
        await asyncio.sleep(0.01)


class Bell:
    """Whom Alertmanager calls."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
                length = int(head.partition("content-length: ")[2].split()[0])
                self.alerts += json.loads(await reader.readexactly(length))["alerts"]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()

    def last(self, labels: dict[str, str]) -> str:
        """What was said last: `firing`, `resolved`, or nothing yet."""
        said = [one["status"] for one in self.alerts if labels.items() <= one["labels"].items()]
        return said[-1] if said else ""


async def releases(machine: Machine, noticed: Noticed) -> None:
    """Forward, back, and one that fails; people go on all the time."""
    docker = DockerServer(machine)
    seen = len(noticed.failed)

    code, said = await docker.release("two")
    assert code == 0, said
    assert "People reach green now, version app:two." in said
    assert (docker.state["LIVE"], docker.state["GREEN_IMAGE"]) == ("green", "app:two")
    assert [machine.runs(one) for one in ("app1", "app2", "app3")] == [False, False, True]

    docker.breaks = "exec app1"
    code, said = await docker.release("three")
    assert code == 1, "what does not answer as it should is not released"
    assert "People are served by the version before." in said
    assert docker.state["LIVE"] == "green"
    assert [machine.runs(one) for one in ("app1", "app2", "app3")] == [False, False, True]

    docker.breaks, docker.asked = "", []
    code, said = await docker.release("--back")
    assert code == 0, said
    assert "People reach blue now, version app:local." in said, "what failed is no version before"
    assert not any("migrate" in one for one in docker.asked), "going back changes no table"
    assert [machine.runs(one) for one in ("app1", "app2", "app3")] == [True, True, False]
    assert docker.state["SECRET"] == "kept"
    assert noticed.failed[seen:] == []


async def a_bad_prompt(machine: Machine, people: list[Person]) -> None:
    """Answers fail in every process until one command; what people have written stays."""
    (before,) = rows(machine, KEPT)
    asking = [one for one in people if not one.was_cut][:8]
    assert len(asking) == 8
    said: list[str] = []

    async def answered() -> int:
        """How many of eight questions, which the proxy shares among the processes."""
        said[:] = await asyncio.gather(*(one.chat() for one in asking))
        return sum("event: done" in one for one in said)

    async def all_or_none(wanted: int, what: str) -> None:
        deadline = monotonic() + 120
        while await answered() != wanted:
            assert monotonic() < deadline, (what, [one[-300:] for one in said])
            # Twenty questions a minute are a person's limit.
            await asyncio.sleep(3.2)

    await all_or_none(8, "all are answered")
    await asyncio.to_thread(machine.run_here, "bad_prompt.py")
    await all_or_none(0, "each process takes the bad prompt")
    reason = ("--because", "No answers")
    told = await asyncio.to_thread(
        machine.typed, "app", "prompts", "rollback", "assistant.system", *reason
    )
    assert "Version 1 of assistant.system is live." in told
    await all_or_none(8, "each process has the former prompt")
    (after,) = rows(machine, KEPT)
    assert all(now >= then for now, then in zip(after, before, strict=True))


async def test_people_notice_nothing_when_processes_die(machine: Machine) -> None:
    from tests.documents.scanner_server import Scanner

    began, reached = monotonic(), {}

    def note(what: str) -> None:
        reached[what] = round(monotonic() - began)

    scanner = Scanner()
    server = await asyncio.start_server(scanner.serve, "127.0.0.1", machine.ports["scanner"])
    await asyncio.to_thread(machine.run_here, "people.py", str(PEOPLE))

    noticed, rung = Noticed(), Bell()
    bell = await asyncio.start_server(rung.serve, "127.0.0.1", machine.ports["bell"])
    async with server, bell, AsyncExitStack() as stack:
        browsers = [
            Person(
                f"person{number}@example.com",
                await stack.enter_async_context(browser(machine.url, machine.authority)),
                noticed,
            )
            for number in range(PEOPLE)
        ]
        for some in range(0, PEOPLE, 4):
            await asyncio.gather(*(one.sign_in() for one in browsers[some : some + 4]))

        note("people are signed in")
        stop = asyncio.Event()
        living = [
            asyncio.create_task(
                one.live(number, stop, SECONDS_BETWEEN_LOOKS, SECONDS_BETWEEN_CHATS)
            )
            for number, one in enumerate(browsers)
        ]
        documents = await asyncio.gather(
            *(browsers[number].upload(number) for number in range(DOCUMENTS))
        )
        holding = (
            "SELECT worker_id FROM procrastinate_jobs WHERE status = 'doing'"
            " AND task_name = 'documents.index' GROUP BY worker_id"
        )
        await until(lambda: len(rows(machine, holding)) == 2, 120, "both workers have work")
        machine.kill("worker1")
        await until(lambda: noticed.requests["rename"] > PEOPLE, 180, "people look around")

        await until(lambda: noticed.in_flight > 2, 180, "some of them wait for an answer")
        killed_at, in_flight = monotonic(), noticed.in_flight
        machine.kill("app1")
        seen = noticed.requests["rename"]
        await until(lambda: noticed.requests["rename"] > seen + PEOPLE, 180, "one app serves all")
        machine.start_app(1)
        await machine.is_ready("app1")
        seen = noticed.requests["rename"]
        await until(lambda: noticed.requests["rename"] > seen + PEOPLE, 180, "both serve again")
        note("both serve again")
        await releases(machine, noticed)
        stop.set()
        await asyncio.gather(*living)
        note("releases are over")
        await a_bad_prompt(machine, browsers)
        note("a bad prompt is taken back")
        # Another process than the one that is gone takes its jobs.
        state = "SELECT DISTINCT state FROM documents"
        await until(lambda: rows(machine, state) == [("ready",)], 120, "every document is read")

        down = {"alertname": "AppDown", "job": "worker", "severity": "page"}
        # The releases stopped the only worker, too, and may have called somebody already.
        await until(
            lambda: not machine.alerts("AppDown") and rung.last(down) != "firing",
            120,
            "nobody is called while a worker runs",
        )
        await asyncio.to_thread(machine.stop, "worker2")
        await until(lambda: rung.last(down) == "firing", 120, "somebody is called")
        machine.start_worker(2)
        await until(lambda: rung.last(down) == "resolved", 120, "it is told that all is well")
        note("alerts are over")
        drill = await asyncio.to_thread(machine.drill)

        checks = await asyncio.gather(
            *(browsers[n].client.get(f"/api/documents/{documents[n]}/file") for n in (0, 5))
        )

    print(noticed, f"in flight at the kill: {in_flight}", drill, reached)
    assert not [one for one in noticed.failed if one[0] > killed_at], "a request after the kill"
    assert len(noticed.failed) <= in_flight, noticed.failed
    assert noticed.requests["chat"] > 1
    assert noticed.streams_cut <= noticed.requests["chat"] / 2
    assert [one.status_code for one in checks] == [200, 200]
    assert "Document 5, part 7." in checks[1].text

    left = "SELECT task_name, status FROM procrastinate_jobs WHERE task_name = 'documents.index'"
    assert rows(machine, left) == []
    passages = "SELECT DISTINCT count(*) FROM passages GROUP BY document_id"
    assert len(rows(machine, passages)) == 1, "a document that was read twice has more"
