"""Jobs: killed in the middle, repeated, raced, and a new index beside the one that is searched."""

import asyncio
import os
import signal
import subprocess
import sys
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core import db
from app.core.settings import ROOT
from app.documents import indexing, jobs, reader
from tests.documents.conftest import A_TABLE, OF_EACH_KIND, TRAVEL, kept


async def count(table: str, organization_id: UUID, more: str = "true") -> int:
    async with db.transaction(elevated=True) as session:
        return int(
            await session.scalar(
                text(f"SELECT count(*) FROM {table} WHERE organization_id = :o AND {more}"),
                {"o": organization_id},
            )
        )


async def test_deleting_takes_text_and_vectors_at_once_and_the_file_next(browser, files):
    document = await browser.upload(TRAVEL)
    own = browser.someone.organization_id
    assert await count("passages", own) == 1

    gone = await browser.client.delete(f"/api/documents/{document}")

    assert gone.status_code == 204
    assert await count("passages", own) == await count("documents", own) == 0
    assert await browser.search("travel costs") == []
    await jobs.remove_files()
    assert kept(files) == []


async def test_a_file_that_cannot_be_deleted_now_is_deleted_later(browser, files, configure):
    document = await browser.upload(TRAVEL)
    await browser.client.delete(f"/api/documents/{document}")
    [file] = kept(files)
    file.parent.chmod(0o500)
    moved = file.parent.rename(file.parent.with_name("elsewhere"))
    (files / file.parent.name).write_text("in the way")
    await jobs.remove_files()
    (files / file.parent.name).unlink()
    moved.rename(file.parent)
    file.parent.chmod(0o700)
    assert kept(files) == [file]

    await jobs.remove_files()
    assert kept(files) == []


async def test_reading_a_document_twice_changes_nothing(browser):
    document = await browser.upload(TRAVEL)
    before = await browser.get(document)
    await jobs.index(UUID(document))
    assert await browser.get(document) == before
    assert await count("passages", browser.someone.organization_id) == 1


async def test_a_document_deleted_while_it_is_read_stays_deleted(browser, monkeypatch):
    sent = await browser.send(TRAVEL)
    document, read = sent.json()["id"], reader.read

    async def slow(kind, chunks):
        content = await read(kind, chunks)
        assert (await browser.client.delete(f"/api/documents/{document}")).status_code == 204
        return content

    monkeypatch.setattr(reader, "read", slow)
    await jobs.index(UUID(document))
    own = browser.someone.organization_id
    assert await count("documents", own) == await count("passages", own) == 0


WORKER = """
import asyncio, os, signal, sys
from uuid import UUID
from app.core import db
from app.documents import indexing, jobs

keep = indexing._replace

async def replace_and_die(*given):
    await keep(*given)
    print("half way", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

indexing._replace = replace_and_die
asyncio.run(jobs.index(UUID(sys.argv[1])))
"""


@pytest.mark.dear
async def test_a_worker_killed_in_the_middle_leaves_nothing_half_done(browser, files):
    sent = await browser.send("\n\n".join(f"{TRAVEL} Rule {n}." for n in range(100)))
    document, own = sent.json()["id"], browser.someone.organization_id
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", WORKER, document],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert "half way" in died.stdout
    assert await count("passages", own) == 0
    assert (await browser.get(document))["state"] == "waiting"
    assert await browser.search("travel costs") == []

    await jobs.index(UUID(document))

    assert (await browser.get(document))["state"] == "ready"
    assert await count("passages", own) == (await browser.get(document))["notes"]["passages"]


async def test_a_job_that_fails_for_good_says_so(browser, monkeypatch):
    sent = await browser.send(TRAVEL)

    async def broken(*_):
        raise OSError("the disk is on fire")

    monkeypatch.setattr(reader, "read", broken)
    with pytest.raises(OSError, match="fire"):
        await jobs.index(UUID(sent.json()["id"]))
    assert (await browser.get(sent.json()["id"]))["state"] == "failed"


async def live(organization_id: UUID) -> tuple[int, int | None]:
    async with db.transaction(organization_id=organization_id) as session:
        row = await session.execute(text("SELECT live, building FROM document_indexes"))
        return tuple(row.one())


async def test_a_new_index_takes_over_in_one_moment_and_the_old_one_is_searched_until_then(
    browser, configure, monkeypatch
):
    own = browser.someone.organization_id
    text_of = "\n\n".join(f"{TRAVEL} Rule {n}." for n in range(8))
    for name in ("one", "two", "three"):
        await browser.upload(f"{text_of} {name}", f"{name}.txt")
    before = await count("passages", own)
    configure(DOCUMENTS_PASSAGE_CHARACTERS=200)
    looked, read = [], reader.read

    async def looking(kind, chunks):
        looked.append((await live(own), len(await browser.search("travel costs"))))
        return await read(kind, chunks)

    monkeypatch.setattr(reader, "read", looking)
    await jobs.rebuild(own)

    assert looked == [((1, 2), 3)] * 3
    assert await live(own) == (2, None)
    assert await count("passages", own, "version = 1") == 0
    assert await count("passages", own, "version = 2") > before
    assert len(await browser.search("travel costs")) == 10


async def test_a_rebuild_that_was_broken_off_goes_on_where_it_was(browser, configure, monkeypatch):
    own = browser.someone.organization_id
    for number in range(3):
        await browser.upload(f"{TRAVEL} Rule {number}.", f"{number}.txt")
    configure(DOCUMENTS_PASSAGE_CHARACTERS=300)
    read, times = reader.read, []

    async def breaks_once(kind, chunks):
        times.append(kind)
        if len(times) == 2:
            raise ConnectionError
        return await read(kind, chunks)

    monkeypatch.setattr(reader, "read", breaks_once)
    with pytest.raises(ConnectionError):
        await jobs.rebuild(own)
    assert await live(own) == (1, 2)
    assert len(await browser.search("travel costs")) == 3

    await jobs.rebuild(own)
    assert len(times) == 4  # Three documents, one of them tried twice.
    assert await live(own) == (2, None)


async def test_what_is_uploaded_while_an_index_is_built_is_in_both(browser, configure, monkeypatch):
    own = browser.someone.organization_id
    await browser.upload(f"{TRAVEL} First.", "first.txt")
    configure(DOCUMENTS_PASSAGE_CHARACTERS=300)
    read, done = reader.read, []

    async def uploads_another(kind, chunks):
        if not done:
            done.append(True)
            await browser.upload(f"{TRAVEL} Second.", "second.txt")
            assert len(await browser.search("travel costs")) == 2
        return await read(kind, chunks)

    monkeypatch.setattr(reader, "read", uploads_another)
    await jobs.rebuild(own)
    assert await live(own) == (2, None)
    assert len(await browser.search("travel costs")) == 2


async def test_a_document_read_for_an_index_that_is_gone_is_read_again(
    browser, configure, monkeypatch
):
    own = browser.someone.organization_id
    await browser.upload(f"{TRAVEL} First.", "first.txt")
    sent = await browser.send(f"{TRAVEL} Second.", "second.txt")
    read, done = reader.read, []

    async def index_moves(kind, chunks):
        content = await read(kind, chunks)
        if not done:
            done.append(True)
            configure(DOCUMENTS_PASSAGE_CHARACTERS=300)
            await indexing.rebuild(own)
        return content

    monkeypatch.setattr(reader, "read", index_moves)
    with pytest.raises(indexing.IndexMoved):
        await indexing.index(UUID(sent.json()["id"]))
    await jobs.index(UUID(sent.json()["id"]))
    assert len(await browser.search("travel costs")) == 2
    assert await count("passages", own, "version <> 2") == 0


async def test_a_new_version_takes_the_place_of_the_old_one(browser, files):
    old = await browser.upload(f"{TRAVEL} In euros.", "rules.txt")
    new = await browser.upload(f"{TRAVEL} In dollars.", "rules.txt", replaces=old)

    assert (await browser.client.get(f"/api/documents/{old}")).status_code == 404
    assert (await browser.get(new))["state"] == "ready"
    [found] = await browser.search("travel costs in")
    assert "dollars" in found["text"]
    await jobs.remove_files()
    assert len(kept(files)) == 1


@pytest.mark.parametrize(
    ("changed", "accepted"),
    [
        (A_TABLE.replace("price", "cost"), False),
        (A_TABLE.replace("120", "much").replace("95", "more").replace("88", "less"), False),
        (A_TABLE.replace("Faro", "Braga"), True),
        (A_TABLE.replace("price", "price,stars").replace("120", "120,4").replace("95", "95,3")
         .replace("88", "88,5"), True),
    ],
)  # fmt: skip
async def test_a_table_whose_columns_changed_is_refused_and_the_old_one_stays(
    browser, changed, accepted
):
    old = await browser.upload(A_TABLE, "hotels.csv")
    new = await browser.upload(changed, "hotels.csv", replaces=old)

    told = await browser.get(new)
    assert (told["state"], told["reason"]) == (
        ("ready", None) if accepted else ("refused", "schema_changed")
    )
    if not accepted:
        assert (await browser.get(old))["state"] == "ready"
        again = await browser.upload(changed, "hotels.csv", replaces=old, accept_changes="true")
        assert (await browser.get(again))["state"] == "ready"


@pytest.mark.parametrize(
    ("policy", "state", "shown"),
    [("keep", "ready", True), ("mask", "ready", False), ("refuse", "refused", False)],
)
async def test_personal_data_is_kept_masked_or_refused_as_the_settings_say(
    browser, configure, policy, state, shown
):
    configure(DOCUMENTS_PERSONAL_DATA=policy)
    document = await browser.upload(
        "Ada's account is DE89 3704 0044 0532 0130 00, her address ada@example.com, her phone"
        " number +49 151 23456789; travel costs go there."
    )
    told = await browser.get(document)
    assert told["state"] == state
    found = str(await browser.search("travel costs account"))
    for secret in ("0532 0130 00", "ada@example.com", "23456789"):
        assert (secret in found) is shown
    if state == "refused":
        assert told["reason"] == "personal_data"
    else:
        assert sum(told["notes"]["personal_data"].values()) == 3


async def test_mixed_up_letters_and_unseen_characters_are_mended(browser):
    document = await browser.upload("GrÃ¶Ãe der RÃ¤ume\u200b und der TÃ¼ren: fÃ¼nf\x01 Meter.")
    told = (await browser.get(document))["notes"]
    assert {"encoding_repaired", "characters_removed"} <= set(told["warnings"])
    [found] = await browser.search("Räume")
    assert "Räume und der Türen: fünf Meter" in found["text"]


async def test_text_in_an_old_encoding_is_read(browser):
    text_of = "Die Größe der Räume ist für viele Gäste wichtig, auch für die Höhe der Türen. " * 3
    await browser.upload(text_of.encode("cp1252"))
    [found] = await browser.search("Größe der Räume")
    assert "Räume ist für viele Gäste" in found["text"]


async def test_a_damaged_file_is_told_and_not_tried_for_ever(browser, files):
    sent = await browser.send(TRAVEL)
    [file] = kept(files)
    file.write_bytes(file.read_bytes()[:-3])
    await jobs.index(UUID(sent.json()["id"]))
    assert (await browser.get(sent.json()["id"]))["reason"] == "damaged"


async def test_all_kinds_together_are_found_by_what_they_say(browser):
    for name, data in OF_EACH_KIND.items():
        await browser.upload(data, name)
    assert len({one["name"] for one in await browser.search("travel costs receipts")}) == 5
