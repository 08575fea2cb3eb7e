"""Every upload is shown to a virus scanner first; without its clear answer nothing is kept."""

import asyncio
import hashlib
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from app.core import db
from app.core.settings import UnsafeSettings, refuse_unsafe
from app.documents import scanner as scanning
from app.documents.settings import DocumentsSettings
from tests.core.test_settings import safe_production
from tests.documents.conftest import TRAVEL, a_docx, kept
from tests.documents.scanner_server import scanner_server

# The test virus of the EICAR, backwards, or scanners on laptops would take this file away.
EICAR = "*H+H$!ELIF-TSET-SURIVITNA-DRADNATS-RACIE$}7)CC7)^P(45XZP\\4[PA@%P!O5X"[::-1]
LONG = (TRAVEL + "\n") * 6_000  # more than one piece of a stream, and of what is kept


@pytest.fixture
async def scanner(configure):
    async with scanner_server() as made:
        configure(DOCUMENTS_SCANNER=made.address, DOCUMENTS_SCANNER_SECONDS=20)
        yield made


async def refusals(person) -> list[dict]:
    async with db.transaction(organization_id=person.organization_id) as session:
        query = "SELECT detail FROM audit_events WHERE action = 'document.refused' ORDER BY id"
        return list(await session.scalars(text(query)))


async def refused(browser, files, data=TRAVEL):
    sent = await browser.send(data)
    assert kept(files) == []
    assert await browser.names() == []
    async with db.transaction(elevated=True) as session:
        found = await session.scalar(
            text("SELECT count(*) FROM documents WHERE organization_id = :o"),
            {"o": browser.someone.organization_id},
        )
    assert found == 0
    return sent


@pytest.mark.asvs("5.4.3")
async def test_the_scanner_sees_each_file_whole_and_what_it_finds_is_not_kept(
    browser, files, scanner
):
    scanner.finds = lambda file: b"stream: Eicar-Test FOUND\0" if b"EICAR" in file else None

    sent = await refused(browser, files, f"{LONG}{EICAR}")

    assert sent.status_code == 422
    assert sent.json()["reason"] == "virus"
    assert "harmful" in sent.json()["errors"]["file"]
    assert await refusals(browser.someone) == [{"reason": "virus", "found": "Eicar-Test"}]
    for good in (LONG.encode(), a_docx()):
        name = "travel.txt" if good == LONG.encode() else "travel.docx"
        assert (await browser.send(good, name)).status_code == 201
        assert hashlib.sha256(scanner.files[-1]).digest() == hashlib.sha256(good).digest()


@pytest.mark.asvs("5.4.3")
@pytest.mark.parametrize(
    "said",
    [b"stream: OK", b"OK\0", b"\0", b"stream: \xff OK\0", b"x" * 100_000,
     b"stream: no memory. ERROR\0", b"stream: OK FOUND OK\0", b""],
    ids=range(8),
)  # fmt: skip
async def test_what_is_no_clear_yes_is_none(browser, files, scanner, said):
    scanner.answer = said
    sent = await refused(browser, files)
    assert (sent.status_code, sent.json()["type"]) == (503, "/problems/scanner-unavailable")
    assert "not taken" in sent.json()["detail"]
    assert int(sent.headers["retry-after"]) >= 1


@pytest.mark.asvs("5.4.3")
async def test_a_scanner_that_hangs_hangs_up_or_has_enough_takes_nothing(
    browser, files, scanner, configure
):
    scanner.hangs_up_after = 1000
    assert (await refused(browser, files, LONG)).status_code == 503
    scanner.hangs_up_after, scanner.most = None, 100_000
    assert (await refused(browser, files, LONG)).status_code == 503
    scanner.most, scanner.answer = 10_000_000, None
    configure(DOCUMENTS_SCANNER_SECONDS=0.2)
    assert (await refused(browser, files)).status_code == 503
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        configure(DOCUMENTS_SCANNER=f"tcp://127.0.0.1:{taken.getsockname()[1]}")
        assert (await refused(browser, files)).status_code == 503


async def test_an_answer_in_pieces_is_read_whole_also_from_a_socket_in_a_folder(browser, configure):
    with tempfile.TemporaryDirectory() as folder:
        async with scanner_server(f"{folder}/clamd.ctl") as scanner:
            configure(DOCUMENTS_SCANNER=scanner.address)
            scanner.bytewise = True
            assert (await browser.send(TRAVEL)).status_code == 201
            await scanning.check()
    with pytest.raises(scanning.ScannerUnavailable):
        await scanning.check()


@pytest.mark.asvs("5.4.3", "13.2.3")
def test_production_wants_a_scanner_or_a_word_that_there_is_none(configure, monkeypatch):
    safe_production(configure)
    configure(DOCUMENTS_SCANNER="")
    with pytest.raises(UnsafeSettings, match="DOCUMENTS_SCANNER must name"):
        refuse_unsafe()
    configure(DOCUMENTS_SCANNER="tcp://clamav.example.com:3310")
    with pytest.raises(UnsafeSettings, match="UNENCRYPTED_HOSTS"):
        refuse_unsafe()
    configure(UNENCRYPTED_HOSTS='["clamav.example.com"]')
    refuse_unsafe()
    configure(DOCUMENTS_SCANNER="none")
    refuse_unsafe()


@pytest.mark.parametrize("value", ["clamav:3310", "tcp://clamav", "http://clamav:3310", "unix://"])
def test_an_address_that_is_none_is_refused(configure, value):
    configure(DOCUMENTS_SCANNER=value)
    with pytest.raises(ValidationError, match="tcp://host:port"):
        DocumentsSettings.load()


@pytest.mark.dear
@pytest.mark.asvs("5.4.3")
@pytest.mark.skipif(not shutil.which("clamd"), reason="no ClamAV on this machine")
async def test_a_real_clamd_finds_the_test_virus_also_in_a_word_file(browser, files, configure):
    with tempfile.TemporaryDirectory() as folder:
        # Signatures of our own, so that none have to be fetched.
        digest = hashlib.md5(EICAR.encode(), usedforsecurity=False).hexdigest()
        signature = EICAR[20:60].encode().hex()
        Path(folder, "own.hdb").write_text(f"{digest}:{len(EICAR)}:Eicar-Digest\n")
        Path(folder, "own.ndb").write_text(f"Eicar-Text:0:*:{signature}\n")
        config = Path(folder, "clamd.conf")
        config.write_text(
            f"DatabaseDirectory {folder}\nLocalSocket {folder}/clamd.ctl\nForeground yes\n"
            "StreamMaxLength 1M\n"
        )
        process = subprocess.Popen(
            ["clamd", "--config-file", str(config)], stdout=subprocess.DEVNULL
        )
        try:
            configure(DOCUMENTS_SCANNER=f"unix://{folder}/clamd.ctl")
            async with asyncio.timeout(60):
                while True:
                    try:
                        await scanning.check()
                        break
                    except scanning.ScannerUnavailable:
                        assert process.poll() is None, "clamd did not start"
                        await asyncio.sleep(0.05)
            for data, name in ((EICAR + "\n" + TRAVEL, "a.txt"), (a_docx(TRAVEL, EICAR), "a.docx")):
                sent = await browser.send(data, name)
                assert (sent.status_code, sent.json()["reason"]) == (422, "virus"), name
                assert kept(files) == []
            too_large = await browser.send(TRAVEL * 20_000)
            assert too_large.status_code == 503
            assert (await browser.send(LONG)).status_code == 201
        finally:
            process.terminate()
            process.wait()
