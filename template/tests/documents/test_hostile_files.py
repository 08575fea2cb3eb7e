"""Whatever is uploaded, it is read or refused by name: never a 500, never a hang."""

import asyncio
import random
from uuid import UUID

import pytest

from app.documents import jobs, reader, reasons
from app.documents.quality import checked
from app.documents.reading.content import Refused
from tests.documents.conftest import OF_EACH_KIND, TRAVEL, a_docx, kept
from tests.documents.hostile import FILES, bare_pdf, with_part

SLOTS = asyncio.Semaphore


async def outcome(browser, data: bytes, name: str) -> str:
    """`ready`, or the reason of the refusal, at the upload or after it."""
    sent = await browser.send(data, name)
    if sent.status_code == 422:
        assert sent.json()["detail"] == reasons.REASONS[sent.json()["reason"]]
        return str(sent.json()["reason"])
    assert sent.status_code == 201, sent.text
    await jobs.index(UUID(sent.json()["id"]))
    told = await browser.get(sent.json()["id"])
    if told["state"] == "ready":
        return "ready"
    assert told["explanation"] == reasons.REASONS[told["reason"]]
    return str(told["reason"])


@pytest.mark.asvs("5.2.2", "5.2.3", "1.5.1")
@pytest.mark.parametrize("what", FILES)
async def test_a_hostile_file_is_refused_by_name_and_not_kept(browser, files, what):
    name, data, reason = FILES[what]

    assert await outcome(browser, data() if callable(data) else data, name) == reason
    assert kept(files) == [] or not await browser.names()
    assert kept(files) == []
    assert await browser.search(TRAVEL) == []


async def test_the_pdf_that_these_are_made_of_is_read(browser):
    assert await outcome(browser, bare_pdf(""), "a.pdf") == "ready"
    assert await outcome(browser, with_part("docProps/x.xml", b"<a/>"), "a.docx") == "ready"


@pytest.mark.asvs("5.1.1")
@pytest.mark.parametrize(
    ("name", "said", "fits"),
    [
        ("a.pdf", "application/pdf", True),
        ("a.pdf", "image/png", False),
        ("a.txt", "text/plain; charset=utf-8", True),
        ("a.txt", "application/pdf", False),
        ("a.csv", "application/vnd.ms-excel", True),
        ("a.md", "text/x-markdown", True),
        ("a.md", "text/html", False),
    ],
)
async def test_what_the_sender_says_must_agree(browser, name, said, fits):
    data = OF_EACH_KIND.get(f"travel{name[1:]}", OF_EACH_KIND["hotels.csv"])
    sent = await browser.send(data, name, said)
    assert sent.status_code == (201 if fits else 422), sent.text
    assert fits or sent.json()["reason"] == "another_kind"


async def read(kind: str, data: bytes) -> str:
    async def chunks():
        yield data

    try:
        checked(await reader.read(kind, chunks()))
    except Refused as refusal:
        return refusal.reason
    return "ready"


async def test_a_file_that_takes_too_long_or_too_much_memory_is_given_up(configure, monkeypatch):
    configure(DOCUMENTS_READING_SECONDS=1, DOCUMENTS_READING_MEGABYTES=128)
    loop = "from app.documents.reading import child; import sys; child.limit(128, 1);"
    for program, reason in (
        (loop + "\nwhile True: pass", "took_too_long"),
        (loop + "x = bytearray(10**9)", "damaged"),
        ("import os; os._exit(3)", "damaged"),
        ("import time; time.sleep(30)", "took_too_long"),
    ):
        monkeypatch.setattr(reader, "program", lambda *_, program=program: _inside(program))
        # A slow machine may take a while until a process does harm.
        monkeypatch.setattr(reader, "SECONDS_TO_START", 2 if reason == "took_too_long" else 60)
        assert await asyncio.wait_for(read("text", b"x"), 90) == reason


def _inside(program: str) -> str:
    from app.core.settings import ROOT

    return f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"


async def test_the_process_that_reads_knows_no_secret(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "a-secret-of-the-app-that-nobody-else-may-know")
    told = _inside(
        "import json, os; print(json.dumps({'reason': 'damaged' if os.environ.get('SECRET_KEY')"
        " or 'app.core' in sys.modules else 'empty'}))"
    )
    monkeypatch.setattr(reader, "program", lambda *_: told)
    assert await read("text", b"x") == "empty"


def broken(data: bytes, chance: random.Random) -> bytes:
    """Cut, or with some bytes changed, taken out or put in."""
    if chance.random() < 0.3:
        return data[: chance.randrange(1, len(data))]
    out = bytearray(data)
    for _ in range(chance.choice((1, 3, 20, 100))):
        at = chance.randrange(len(out))
        way = chance.random()
        if way < 0.6:
            out[at] = chance.randrange(256)
        elif way < 0.8:
            del out[at : at + chance.randrange(1, 40)]
            out = out or bytearray(b"x")
        else:
            out[at:at] = chance.randbytes(chance.randrange(1, 40))
    return bytes(out)


FUZZED = {"pdf": "travel.pdf", "docx": "travel.docx", "html": "travel.html",
          "markdown": "travel.md", "csv": "hotels.csv", "text": "travel.txt"}  # fmt: skip


async def fuzz(kind: str, count: int) -> set[str]:
    chance = random.Random(f"{kind} {count}")
    data = OF_EACH_KIND[FUZZED[kind]]
    if kind in {"markdown", "csv", "text", "html"}:
        data = data * 20 if kind in {"markdown", "text"} else data
    slots = SLOTS(2)

    async def one() -> str:
        async with slots:
            return await asyncio.wait_for(read(kind, broken(data, chance)), 60)

    return set(await asyncio.gather(*(one() for _ in range(count))))


@pytest.mark.parametrize("kind", FUZZED)
async def test_broken_files_are_read_or_refused_by_name(kind):
    assert await fuzz(kind, 6) <= {"ready", *reasons.REASONS}


async def test_broken_files_over_http(browser):
    chance = random.Random(80)
    for name in ("travel.pdf", "travel.docx", "travel.html"):
        for _ in range(2):
            reason = await outcome(browser, broken(OF_EACH_KIND[name], chance), name)
            assert reason == "ready" or reason in reasons.REASONS


async def test_links_in_word_are_no_content_from_elsewhere(browser):
    from tests.documents.hostile import RELATIONSHIPS

    linked = with_part(
        "word/_rels/footnotes.xml.rels", RELATIONSHIPS.format(kind="hyperlink").encode(), a_docx()
    )
    assert await outcome(browser, linked, "a.docx") == "ready"
