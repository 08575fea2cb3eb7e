"""Scanned pages: refused with a reason, or read by a real tesseract where a setting wants that."""

import asyncio
import shutil
from functools import cache
from io import BytesIO
from uuid import UUID
from zlib import crc32

import pypdfium2
import pytest
from fpdf import FPDF

from app.documents import jobs, recognition
from app.documents.settings import DocumentsSettings
from tests.documents.conftest import TRAVEL, a_pdf, kept
from tests.factories import make_user

PAID = "Hotels are booked by the office in Lisbon. Breakfast costs 12 euros and is paid by guests."
JUNK = " ".join(["x@#~ qz|{ ]%^ bcdfg ~~{} wrtpk &*^ zxcvb |]["] * 12)

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is not installed"
)


@cache
def a_scan(*pages: str, with_text: str = "") -> bytes:
    """Pictures of pages, as a scanner makes them, and perhaps a page of real text before them."""
    made = FPDF()
    if with_text:
        made.set_font("helvetica", size=12)
        made.add_page()
        made.multi_cell(0, 8, with_text)
    for page in pypdfium2.PdfDocument(a_pdf(*pages)):
        picture = BytesIO()
        page.render(scale=200 / 72, grayscale=True).to_pil().save(picture, "PNG")
        made.add_page()
        made.image(picture, 0, 0, made.w)
    return bytes(made.output())


@pytest.fixture
def recognises(configure):
    def on(**more):
        configure(**{"DOCUMENTS_OCR": "tesseract"} | more)

    on()
    return on


async def test_without_the_setting_a_scan_is_refused_and_says_why(browser, files):
    found = await browser.get(await browser.upload(a_scan(TRAVEL), "scan.pdf"))

    assert (found["state"], found["reason"]) == ("refused", "no_text")
    assert "Scanned pages need text recognition" in found["explanation"]
    assert kept(files) == []


@needs_tesseract
async def test_scanned_pages_are_read_found_and_marked(browser, recognises):
    document = await browser.upload(a_scan(TRAVEL, PAID), "scan.pdf")
    found = await browser.get(document)

    assert found["state"] == "ready", found
    assert found["notes"]["pages_recognised"] == 2
    assert (found["notes"]["pages"], found["notes"]["pages_without_text"]) == (2, 0)
    assert "text_recognised" in found["notes"]["warnings"]
    [first, *_] = await browser.search("What does breakfast cost?")
    assert "12 euros" in first["text"]


@needs_tesseract
async def test_of_a_file_with_text_only_the_scanned_pages_are_recognised(browser, recognises):
    pages = a_scan(PAID, "", with_text=TRAVEL)
    found = await browser.get(await browser.upload(pages, "both.pdf"))

    assert found["state"] == "ready"
    assert found["notes"]["pages_recognised"] == 1
    assert found["notes"]["pages_without_text"] == 1  # Nothing is on it.
    assert {one["page"] for one in await browser.search("breakfast receipts travel costs")} >= {1}


@needs_tesseract
@pytest.mark.parametrize(
    ("pages", "more", "reason"),
    [
        (("", ""), {}, "no_text"),
        ((JUNK,), {}, "unreadable_text"),
        ((TRAVEL, PAID), {"DOCUMENTS_OCR_PAGES": 1}, "too_many_scans"),
    ],
    ids=["nothing on them", "no words", "too many"],
)
async def test_what_recognition_does_not_help_is_refused(
    browser, files, recognises, pages, more, reason
):
    recognises(**more)
    found = await browser.get(await browser.upload(a_scan(*pages), "scan.pdf"))

    assert (found["state"], found["reason"]) == ("refused", reason), found
    assert kept(files) == []


async def test_recognition_that_takes_too_long_is_ended(browser, recognises, monkeypatch, tmp_path):
    slow = tmp_path / "tesseract"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(DocumentsSettings.load(), "ocr_seconds", 1)
    async with asyncio.timeout(30):
        found = await browser.get(await browser.upload(a_scan(TRAVEL, PAID), "scan.pdf"))
        both = await browser.get(await browser.upload(a_scan(PAID, with_text=TRAVEL), "both.pdf"))

    assert (found["state"], found["reason"]) == ("refused", "took_too_long")
    # What can be read of the other one is not lost.
    assert (both["state"], both["notes"]["pages_without_text"]) == ("ready", 1)


async def test_a_scan_is_refused_and_production_stopped_where_the_program_is_missing(
    browser, recognises, monkeypatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    found = await browser.get(await browser.upload(a_scan(TRAVEL), "scan.pdf"))

    assert (found["state"], found["reason"]) == ("refused", "no_text")
    assert any("DOCUMENTS_OCR" in one for one in DocumentsSettings.load().production_problems())


async def test_a_damaged_scan_is_refused(browser, recognises):
    found = await browser.get(await browser.upload(a_scan(TRAVEL)[:2000] + b"%%EOF", "scan.pdf"))

    assert (found["state"], found["reason"]) == ("refused", "damaged")


def test_languages_are_names_and_nothing_else(configure):
    configure(DOCUMENTS_OCR_LANGUAGES="eng --psm 0")
    with pytest.raises(ValueError, match="ocr_languages"):
        DocumentsSettings.load()


def test_pages_stand_in_their_order():
    content = recognition.Content(
        [recognition.Block("one", page=1), recognition.Block("x", page=3)]
    )
    found = recognition._together(content, {2: "two\n\nmore"})
    assert [(one.text, one.page) for one in found.blocks] == [
        ("one", 1),
        ("two", 2),
        ("more", 2),
        ("x", 3),
    ]


@cache
def a_picture(text: str, how: str, mode: str = "RGB") -> bytes:
    """A photograph of a page."""
    out = BytesIO()
    [page] = pypdfium2.PdfDocument(a_pdf(text))
    page.render(scale=200 / 72).to_pil().convert(mode).save(out, how)
    return out.getvalue()


def a_large_png(width: int, height: int) -> bytes:
    """It says that it is so large, and is some bytes."""
    parts = [(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + b"\x08\0\0\0\0"), (b"IEND", b"")]
    chunks = [len(of).to_bytes(4) + kind + of + crc32(kind + of).to_bytes(4) for kind, of in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("name", ["page.png", "page.jpg", "page.jpeg"])
async def test_without_the_setting_a_picture_is_not_taken(browser, files, name):
    how = "PNG" if name.endswith("png") else "JPEG"
    refused = await browser.send(a_picture(TRAVEL, how), name)
    assert (refused.status_code, refused.json()["reason"]) == (422, "not_accepted")
    assert kept(files) == []


@needs_tesseract
@pytest.mark.parametrize(
    ("name", "how", "mode"),
    [("page.png", "PNG", "RGB"), ("clear.PNG", "PNG", "RGBA"), ("photo.jpg", "JPEG", "RGB")],
)
async def test_a_picture_is_read_found_and_marked(browser, browser_of, recognises, name, how, mode):
    document = await browser.upload(a_picture(PAID, how, mode), name)
    found = await browser.get(document)
    assert found["state"] == "ready", found
    assert found["kind"] == how.lower()
    assert found["notes"]["pages_recognised"] == 1
    assert "text_recognised" in found["notes"]["warnings"]
    [first, *_] = await browser.search("What does breakfast cost?")
    assert "12 euros" in first["text"]
    stranger = await browser_of(await make_user(password=False))
    assert await stranger.search("What does breakfast cost?") == []


PNG_OF_A_PAGE, JPEG_OF_A_PAGE = a_picture(PAID, "PNG"), a_picture(PAID, "JPEG")


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (JPEG_OF_A_PAGE, "page.png", "another_kind"),
        (a_pdf(TRAVEL), "page.jpg", "another_kind"),
        (PNG_OF_A_PAGE[: len(PNG_OF_A_PAGE) // 2], "page.png", "damaged"),
        (JPEG_OF_A_PAGE[:200], "page.jpg", "damaged"),
        (JPEG_OF_A_PAGE[:-2], "page.jpg", "damaged"),
        (PNG_OF_A_PAGE + b"<script>", "page.png", "polyglot"),
        (JPEG_OF_A_PAGE[:20] + b"%PDF-1.7" + JPEG_OF_A_PAGE[20:], "page.jpg", "polyglot"),
        (a_large_png(50_001, 1_000), "page.png", "too_many_dots"),
        (a_large_png(2**32 - 1, 2**32 - 1), "page.png", "too_many_dots"),
        (a_large_png(0, 10), "page.png", "damaged"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_a_picture_that_is_none_or_too_large_reaches_no_program(
    browser, files, recognises, monkeypatch, tmp_path, content, name, reason
):
    program = tmp_path / "tesseract"
    program.write_text(f"#!/bin/sh\nexec /usr/bin/touch {tmp_path}/was-asked\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    sent = await browser.send(content, name)
    if sent.status_code == 422:
        told = sent.json()["reason"]
    else:
        await jobs.index(UUID(sent.json()["id"]))
        told = (await browser.get(sent.json()["id"]))["reason"]
    assert told == reason
    assert not (tmp_path / "was-asked").exists()
    assert kept(files) == []


@needs_tesseract
async def test_a_picture_without_words_is_refused_and_one_that_takes_too_long_ended(
    browser, files, recognises, monkeypatch, tmp_path
):
    found = await browser.get(await browser.upload(a_picture("", "PNG"), "sky.png"))
    assert (found["state"], found["reason"]) == ("refused", "no_text")
    slow = tmp_path / "tesseract"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(DocumentsSettings.load(), "ocr_seconds", 1)
    async with asyncio.timeout(30):
        found = await browser.get(await browser.upload(a_picture(PAID, "PNG"), "page.png"))
    assert (found["state"], found["reason"]) == ("refused", "took_too_long")
    assert kept(files) == []
