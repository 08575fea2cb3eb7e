"""Text recognition, where DOCUMENTS_OCR wants it: of pages of a PDF without text, and pictures."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from app.core.logging import log
from app.documents import reader
from app.documents.reading.content import Block, Content, Refused, limited, paragraphs
from app.documents.reading.kinds import PICTURES
from app.documents.settings import DocumentsSettings

LARGEST_PICTURE = 64 * 1024 * 1024

File = Callable[[], AsyncIterable[bytes]]


async def read(kind: str, file: File) -> Content:
    """What is in a file, with what is written on scanned pages. Raises as `reader.read` does."""
    settings = DocumentsSettings.load()
    if kind in PICTURES:
        return await _picture(kind, file)
    recognises = kind == "pdf" and settings.ocr != "none"
    try:
        content = await reader.read(kind, file())
    except Refused as refusal:
        if refusal.reason != "no_text" or not recognises:
            raise
        content = Content([])
    wanted: list[int] = content.notes.pop("empty", [])
    if not recognises or (content.blocks and not wanted):
        return content
    try:
        async with asyncio.timeout(settings.ocr_seconds):
            found = await _recognised(file(), wanted)
    except (TimeoutError, Refused) as error:
        reason = error.reason if isinstance(error, Refused) else "took_too_long"
        if not content.blocks:
            raise Refused(reason) from error
        log.warning("documents.not_recognised", reason=reason)
        return content  # Its other pages can be read.
    return _together(content, found)


async def _picture(kind: str, file: File) -> Content:
    settings = DocumentsSettings.load()
    try:
        await reader.read(kind, file())
    except Refused as refusal:
        # It is a picture, and nothing else is wrong with it.
        if refusal.reason != "no_text" or settings.ocr == "none":
            raise
    program = _tesseract()
    try:
        async with asyncio.timeout(settings.ocr_seconds), reader.slot():
            text = await _text(b"".join([chunk async for chunk in file()]), program)
    except TimeoutError as error:
        raise Refused("took_too_long") from error
    blocks = limited([Block(one) for one in paragraphs(text)])
    return Content(blocks, {"pages_recognised": 1})


def _tesseract() -> str:
    program = shutil.which("tesseract")
    if program is None:
        log.error("documents.no_tesseract")
        raise Refused("no_text")
    return program


def _together(content: Content, found: dict[int, str]) -> Content:
    new = [Block(one, page=page) for page, text in found.items() for one in paragraphs(text)]
    blocks = sorted([*content.blocks, *new], key=lambda one: one.page or 0)
    read = {one.page for one in new}
    notes = content.notes | {
        "pages": content.notes.get("pages", len(found)),
        "pages_without_text": len(found.keys() - read),
        "pages_recognised": len(read),
    }
    return Content(limited(blocks), notes)


async def _recognised(file: AsyncIterable[bytes], wanted: Iterable[int]) -> dict[int, str]:
    """The text of each page by its number."""
    settings = DocumentsSettings.load()
    program = _tesseract()
    pages = ",".join(map(str, wanted))
    found: dict[int, str] = {}
    async with reader.slot(), _process("draw", str(settings.ocr_pages), pages) as drawing:
        giving = asyncio.create_task(reader.give(drawing, file))
        try:
            while (head := await _exactly(drawing, 8)) is not None:
                number, size = int.from_bytes(head[:4]), int.from_bytes(head[4:])
                if not number:
                    raise Refused("too_many_scans")
                picture = await _exactly(drawing, min(size, LARGEST_PICTURE))
                found[number] = await _text(picture or b"", program)
        finally:
            giving.cancel()
            await asyncio.gather(giving, return_exceptions=True)
        if await drawing.wait() or not found:
            raise Refused("damaged")
    return found


async def _text(picture: bytes, program: str) -> str:
    async with _process("recognise", program, DocumentsSettings.load().ocr_languages) as process:
        said, _ = await process.communicate(picture)
        if process.returncode:
            log.warning("documents.page_not_recognised", code=process.returncode)
            return ""
        return said.decode(errors="replace")


async def _exactly(process: asyncio.subprocess.Process, size: int) -> bytes | None:
    assert process.stdout is not None
    try:
        return await process.stdout.readexactly(size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Refused("damaged") from error
        return None


@asynccontextmanager
async def _process(what: str, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = DocumentsSettings.load()
    limits = str(settings.reading_megabytes), str(settings.ocr_seconds)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", reader.program("pictures", what), *limits, *more,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        await reader.end(process)
