"""What was taken once is not lost: files, indexes and readers that are away for a while."""

import asyncio
import os
import time
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core import db
from app.documents import indexing, jobs, reader, search
from app.documents.models import Document
from app.documents.reading.content import Refused
from app.jobs.queue import Attempt, attempt, run_until_empty
from app.storage import service as storage
from app.storage.service import NoSuchFile
from tests.documents.conftest import TRAVEL, kept
from tests.documents.test_index import live
from tests.leftovers import no_old_jobs as no_old_jobs

pytestmark = pytest.mark.dear


async def test_a_refusal_while_rebuilding_takes_the_document_out(people, configure, monkeypatch):
    browser = people["root"]
    own = browser.someone.organization_id
    document = await browser.upload(TRAVEL)
    configure(DOCUMENTS_PASSAGE_CHARACTERS=300)

    async def refuses(*_):
        raise Refused("damaged")

    with monkeypatch.context() as broken:
        broken.setattr(reader, "read", refuses)
        await jobs.rebuild(own)
    told = await browser.get(document)
    assert (told["state"], told["reason"]) == ("failed", "damaged")
    assert await live(own) == (2, None)
    assert await browser.search("travel costs") == []

    # What was taken once is never lost by it: the file is kept, and read when that works again.
    kept_file = await browser.client.get(f"/api/documents/{document}/file")
    assert kept_file.text == TRAVEL
    assert (await browser.client.post("/api/documents/index")).status_code == 202
    await run_until_empty()
    assert (await browser.get(document))["state"] == "ready"
    assert len(await browser.search("travel costs")) == 1


async def test_a_store_that_is_not_there_ends_no_document(browser, files, configure):
    own = browser.someone.organization_id
    document = await browser.upload(TRAVEL)
    waiting = (await browser.send(f"{TRAVEL} Second.")).json()["id"]
    configure(DOCUMENTS_PASSAGE_CHARACTERS=300)
    files.rename(files.with_name("elsewhere"))
    another_try = attempt.set(Attempt(1, last=False))
    with pytest.raises(NoSuchFile):
        await jobs.rebuild(own)
    with pytest.raises(NoSuchFile):
        await jobs.index(UUID(waiting))
    attempt.reset(another_try)
    assert len(await browser.search("travel costs")) == 1
    assert (await browser.get(waiting))["state"] == "waiting"

    files.with_name("elsewhere").rename(files)
    await jobs.rebuild(own)
    await jobs.index(UUID(waiting))
    assert (
        (await browser.get(document))["state"] == (await browser.get(waiting))["state"] == "ready"
    )


async def test_who_ends_the_reading_process_has_not_refused_the_document(browser, monkeypatch):
    document = (await browser.send(TRAVEL)).json()["id"]
    for number in ("SIGINT", "SIGTERM"):
        # Who was started in the background may have been told to ignore SIGINT.
        heard = f"signal.signal(signal.{number}, signal.SIG_DFL)"
        ended = f"import os, signal; {heard}; os.kill(os.getpid(), signal.{number})"
        with monkeypatch.context() as outside:
            outside.setattr(reader, "program", lambda *_, ended=ended: ended)
            another_try = attempt.set(Attempt(1, last=False))
            with pytest.raises(reader.ReaderEnded):
                await jobs.index(UUID(document))
            attempt.reset(another_try)
    assert (await browser.get(document))["state"] == "waiting"
    await jobs.index(UUID(document))
    assert (await browser.get(document))["state"] == "ready"


async def test_a_search_while_the_index_changes_finds_all_the_same(browser, configure, monkeypatch):
    own = browser.someone.organization_id
    await browser.upload(TRAVEL)
    vector, done = search._vector, []

    async def index_moves(*asked):
        if not done:
            done.append(True)
            configure(DOCUMENTS_PASSAGE_CHARACTERS=300)
            await indexing.rebuild(own)
        return await vector(*asked)

    monkeypatch.setattr(search, "_vector", index_moves)
    assert len(await browser.search("travel costs")) == 1
    assert await browser.search("zebra") == []


async def test_documents_are_read_anew_when_that_is_wanted_and_settings_are_the_same(browser):
    own = browser.someone.organization_id
    await browser.upload(TRAVEL)
    await jobs.rebuild(own)
    assert await live(own) == (1, None)
    await jobs.rebuild(own, anew=True)
    assert await live(own) == (2, None)
    assert len(await browser.search("travel costs")) == 1


async def _one_waits() -> bool:
    """For a lock of somebody else's. What is seen of others stays the same in one transaction."""
    async with db.transaction() as session:
        waits = "wait_event_type = 'Lock' AND datname = current_database()"
        return (
            await session.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {waits}")) > 0
        )


async def test_a_new_version_gets_ready_while_the_old_one_is_deleted(browser):
    old = await browser.upload(f"{TRAVEL} In euros.", "rules.txt")
    new = (await browser.send(f"{TRAVEL} In dollars.", "rules.txt", replaces=old)).json()["id"]
    async with db.transaction(elevated=True) as deleting:
        await deleting.get_one(Document, UUID(old), with_for_update=True)
        reading = asyncio.create_task(jobs.index(UUID(new)))
        async with asyncio.timeout(60):
            while not await _one_waits():
                await asyncio.sleep(0.05)
        await deleting.execute(text("DELETE FROM documents WHERE id = :id"), {"id": old})
    await reading
    assert (await browser.get(new))["state"] == "ready"


async def test_what_was_left_half_written_goes_and_what_arrives_now_stays(browser, files):
    await browser.upload(TRAVEL)
    incoming = files / "incoming"
    for name, hours in (("dead", 3), ("arriving", 1)):
        (incoming / name).write_bytes(b"half a file")
        then = time.time() - hours * 3600
        os.utime(incoming / name, (then, then))
    await jobs.sweep()
    assert [path.name for path in incoming.iterdir()] == ["arriving"]
    assert len(kept(files)) == 2


async def test_nothing_stays_of_a_file_whose_document_goes_while_it_arrives(
    browser, files, monkeypatch
):
    keep = storage.keep

    async def deleted_meanwhile(*given, **more):
        async with db.transaction(elevated=True) as session:
            await session.execute(
                text("DELETE FROM documents WHERE organization_id = :own"),
                {"own": browser.someone.organization_id},
            )
        await jobs.remove_files()
        return await keep(*given, **more)

    monkeypatch.setattr(storage, "keep", deleted_meanwhile)
    assert (await browser.send(TRAVEL)).status_code == 404
    assert kept(files) == []


async def test_files_that_cannot_be_deleted_keep_no_other_one_here(browser, files, monkeypatch):
    monkeypatch.setattr(jobs, "FILES_AT_ONCE", 1)
    for number in range(3):
        await browser.upload(f"{TRAVEL} Number {number}.")
    stuck = min(path.relative_to(files).as_posix() for path in kept(files))
    remove = storage.remove

    async def refuses_one(name):
        if name == stuck:
            raise storage.StorageUnreachable("not now")
        await remove(name)

    monkeypatch.setattr(storage, "remove", refuses_one)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("DELETE FROM documents WHERE organization_id = :own"),
            {"own": browser.someone.organization_id},
        )
    await jobs.remove_files()
    assert [path.relative_to(files).as_posix() for path in kept(files)] == [stuck]


async def test_a_name_in_the_other_form_is_read_as_it_was_meant(browser):
    body = (
        b"--x\r\nContent-Disposition: form-data; name=file;"
        b" filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt\r\n\r\n" + TRAVEL.encode() + b"\r\n--x--\r\n"
    )
    sent = await browser.client.post(
        "/api/documents", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (sent.status_code, sent.json()["name"]) == (201, "Grüße.txt")


async def test_what_nobody_will_read_any_more_does_not_wait_for_ever(browser):
    forgotten, waiting, fresh = [
        (await browser.send(f"{TRAVEL} Number {number}.")).json()["id"] for number in range(3)
    ]
    async with db.transaction(elevated=True) as session:
        for document in (forgotten, waiting):
            await session.execute(
                text("UPDATE documents SET created_at = now() - interval '3 hours' WHERE id = :id"),
                {"id": document},
            )
    async with db.transaction() as session:
        for document in (forgotten, fresh):
            await session.execute(
                text("DELETE FROM procrastinate_jobs WHERE args->>'document_id' = :id"),
                {"id": document},
            )
    await jobs.sweep()
    states = [(await browser.get(one))["state"] for one in (forgotten, waiting, fresh)]
    assert states == ["failed", "waiting", "waiting"]
