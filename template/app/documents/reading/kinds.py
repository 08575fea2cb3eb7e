"""What kind of file it is: its first bytes, its name and what the sender says must agree."""

import re
import zipfile
from io import BytesIO

from app.documents.reading.content import Refused

# Endings and media types of each kind. Senders call Markdown and CSV many things.
ENDINGS = {
    "pdf": "pdf", "docx": "docx", "html": "html", "htm": "html", "md": "markdown",
    "markdown": "markdown", "csv": "csv", "tsv": "csv", "txt": "text", "text": "text",
    "png": "png", "jpg": "jpeg", "jpeg": "jpeg",
}  # fmt: skip
MEDIA_TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "markdown": "text/markdown",
    "csv": "text/csv",
    "text": "text/plain",
    "png": "image/png",
    "jpeg": "image/jpeg",
}
STARTS = {
    "pdf": b"%PDF-",
    "docx": b"PK\x03\x04",
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff",
}
PICTURES = {"png", "jpeg"}
"""Taken where text recognition is on."""
# Kinds of file that are not taken; their first bytes in something called text give it away.
SIGNATURES = (
    b"PK\x03\x04", b"PK\x05\x06", b"%PDF-", b"\x7fELF", b"MZ", b"\x89PNG", b"GIF8",
    b"\xff\xd8\xff", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!",
    b"\xd0\xcf\x11\xe0", b"{\\rtf", b"%!PS", b"\xca\xfe\xba\xbe", b"\x28\xb5\x2f\xfd",
    b"SQLite format 3", b"OggS", b"RIFF", b"ID3", b"\x00asm", b"#!", b"<?php",
)  # fmt: skip
HTML_START = re.compile(
    rb"\s*(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
XML_START = re.compile(rb"\s*<\?xml\b", re.I)
HEAD = 4096


def kind_of(name: str, head: bytes, media_type: str = "") -> str:
    """The kind of a file by its name, if its first bytes do not say another one."""
    if not head:
        raise Refused("empty")
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    kind = ENDINGS.get(ending)
    if kind is None:
        raise Refused("not_accepted")
    if not _is(kind, head) or not _agrees(kind, media_type):
        raise Refused("another_kind")
    return kind


def _is(kind: str, head: bytes) -> bool:
    if kind in STARTS:
        return head.startswith(STARTS[kind])
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(SIGNATURES):
        return False
    if kind == "html":
        return b"<" in head
    return not HTML_START.match(head) and not (kind in {"csv", "text"} and XML_START.match(head))


def _agrees(kind: str, media_type: str) -> bool:
    said = media_type.partition(";")[0].strip().lower()
    if said in {"", "application/octet-stream", MEDIA_TYPES[kind]}:
        return True
    if kind in STARTS or said in set(MEDIA_TYPES.values()) - {"text/plain"}:
        return False
    # Systems call Markdown and CSV by names of their own; none of these is rendered anywhere.
    return said.startswith("text/") or (kind == "csv" and said == "application/vnd.ms-excel")


def refuse_polyglots(kind: str, data: bytes) -> None:
    """A file of two kinds passes one check as the one and is opened as the other."""
    if kind == "pdf":
        end = data.rfind(b"%%EOF")
        behind = data[end + 5 :].strip(b"\r\n\t \0") if end >= 0 else b""
        if behind or _is_zip(data):
            raise Refused("polyglot" if end >= 0 else "damaged")
    elif kind == "docx":
        end = data.rfind(b"PK\x05\x06")
        if end < 0:
            raise Refused("damaged")
        if len(data) > end + 22 or b"%PDF-" in data[:HEAD]:
            raise Refused("polyglot")
    elif _is_zip(data) or b"%PDF-" in data[:1024]:
        raise Refused("polyglot")


def _is_zip(data: bytes) -> bool:
    """Whether a program that unpacks would take it, whatever stands before the archive."""
    if b"PK\x05\x06" not in data[-66_000:]:
        return False
    return zipfile.is_zipfile(BytesIO(data))
