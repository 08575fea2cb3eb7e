"""A picture by itself, looked at before any program unpacks it; `recognition` reads it then."""

from collections.abc import Callable

from app.documents.reading.content import Content, Refused

# What cameras make, and a page at 600 dots an inch.
MOST_DOTS = 50_000_000
PNG = b"\x89PNG\r\n\x1a\n"
WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
NO_FRAME = {0xC4, 0xC8, 0xCC}
SCAN, END = 0xDA, 0xD9


def read_png(data: bytes) -> Content:
    return _looked_at(data, _png)


def read_jpeg(data: bytes) -> Content:
    return _looked_at(data, _jpeg)


def _looked_at(data: bytes, size: Callable[[bytes], tuple[int, int]]) -> Content:
    width, height = size(data)
    if not width or not height:
        raise Refused("damaged")
    if width * height > MOST_DOTS:
        raise Refused("too_many_dots")
    return Content([])


def _png(data: bytes) -> tuple[int, int]:
    """Width and height. All of its chunks must be there, and nothing behind them."""
    if not data.startswith(PNG) or data[8:16] != b"\0\0\0\x0dIHDR":
        raise Refused("damaged")
    at = len(PNG)
    while (kind := data[at + 4 : at + 8]) != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4])
        if len(kind) < 4 or at > len(data):
            raise Refused("damaged")
    if len(data) < at + 12:
        raise Refused("damaged")
    if len(data) > at + 12:
        raise Refused("polyglot")
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def _jpeg(data: bytes) -> tuple[int, int]:
    """Width and height. Cameras put things of their own behind the end: nobody reads those."""
    at, size = 2, (0, 0)
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == SCAN:
            if data.rfind(bytes((0xFF, END))) < at:
                break  # Cut off.
            return size
        if marker in WITHOUT_LENGTH or marker == 0xFF:
            at += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in NO_FRAME:
            height, width = data[at + 5 : at + 7], data[at + 7 : at + 9]
            size = int.from_bytes(width), int.from_bytes(height)
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    raise Refused("damaged")
