"""PDF: every object that can be reached is looked at, then the text of each page is read."""

import logging
from io import BytesIO
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from app.documents.reading.content import Block, Content, Refused, paragraphs

MOST_PAGES = 2_000
MOST_OBJECTS = 300_000
ACTIONS = {
    "/JavaScript", "/Launch", "/ImportData", "/SubmitForm", "/Rendition", "/RichMediaExecute",
    "/GoToE", "/Movie", "/Sound",
}  # fmt: skip
ACTIVE_KEYS = {"/JS", "/XFA", "/RichMediaContent"}
FILE_KEYS = {"/EmbeddedFiles", "/EF", "/Collection"}
FILE_KINDS = {"/FileAttachment", "/RichMedia", "/Screen", "/3D", "/Movie", "/Sound"}
BROKEN = (PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError)

# It tells of every small fault; what matters is told by a reason.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def read(data: bytes) -> Content:
    if b"%%EOF" not in data[-4096:]:
        raise Refused("damaged")
    try:
        reader = PdfReader(BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("encrypted")
        _refuse_active(reader.trailer)
        pages = len(reader.pages)
        if pages > MOST_PAGES:
            raise Refused("too_much_text")
        texts = [page.extract_text() for page in reader.pages]
    except BROKEN as error:
        raise Refused("damaged") from error
    blocks = [
        Block(paragraph, page=number)
        for number, text in enumerate(texts, 1)
        for paragraph in paragraphs(text)
    ]
    if not pages:
        raise Refused("damaged")
    empty = [number for number, text in enumerate(texts, 1) if not text.strip()]
    return Content(blocks, {"pages": pages, "pages_without_text": len(empty), "empty": empty})


def _refuse_active(root: Any) -> None:
    waiting: list[Any] = [root]
    seen: set[tuple[int, int]] = set()
    looked = 0
    while waiting:
        one = waiting.pop()
        if isinstance(one, IndirectObject):
            place = (one.idnum, one.generation)
            if place in seen:
                continue
            seen.add(place)
            one = one.get_object()
        looked += 1
        if looked > MOST_OBJECTS:
            raise Refused("too_much_text")
        if isinstance(one, DictionaryObject):
            _look_at(one)
            waiting.extend(one.values())
        elif isinstance(one, ArrayObject):
            waiting.extend(one)


def _look_at(one: DictionaryObject) -> None:
    action, kind, subkind = (_plain(one.get(key)) for key in ("/S", "/Type", "/Subtype"))
    # /S is also the name of a structure element's kind, which is none of these.
    if ACTIVE_KEYS & one.keys() or action in ACTIONS:
        raise Refused("active_content")
    if FILE_KEYS & one.keys() or subkind in FILE_KINDS:
        raise Refused("embedded_files")
    if kind == "/EmbeddedFile" and isinstance(one, StreamObject):
        raise Refused("embedded_files")


def _plain(value: Any) -> str:
    if isinstance(value, IndirectObject):
        value = value.get_object()
    return str(value) if isinstance(value, str) else ""
