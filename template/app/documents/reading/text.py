"""Text and Markdown, in whatever encoding they come."""

import re

from charset_normalizer import from_bytes

from app.documents.reading.content import Block, Content, Refused

BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*")
FENCE = re.compile(r"\s*(```|~~~)")
ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
SHARE_OF_CONTROLS = 0.02
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
GUESSED_FROM = 200_000


def decoded(data: bytes) -> str:
    """The text in some bytes; raises `Refused` when they are in no encoding that can be told."""
    if not data:
        raise Refused("empty")
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return _with(data[len(bom) :], encoding)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        guess = from_bytes(data[:GUESSED_FROM]).best()
        if guess is None or guess.encoding in {"utf_7", "ascii"}:
            raise Refused("unknown_encoding") from None
        text = _with(data, guess.encoding)
    if len(CONTROLS.findall(text)) > SHARE_OF_CONTROLS * len(text) + 2:
        raise Refused("unknown_encoding")
    return text


def _with(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise Refused("unknown_encoding") from None


def read(data: bytes) -> Content:
    lines = decoded(data).splitlines()
    blocks = [Block(text) for text in _joined(lines)]
    return Content(blocks, {"lines": len(lines)})


def read_markdown(data: bytes) -> Content:
    lines = decoded(data).splitlines()
    blocks: list[Block] = []
    headings: dict[int, str] = {}
    waiting: list[str] = []
    fenced = False

    def end() -> None:
        if text := "\n".join(waiting).strip():
            blocks.append(Block(text, " › ".join(headings.values())))
        waiting.clear()

    for line in lines:
        if FENCE.match(line):
            fenced = not fenced
            waiting.append(line)
        elif fenced:
            waiting.append(line)
        elif found := HEADING.fullmatch(line):
            end()
            level = len(found[1])
            headings = {one: name for one, name in headings.items() if one < level}
            headings[level] = found[2][:200]
        elif not line.strip():
            end()
        else:
            if ITEM.match(line):
                end()
            waiting.append(line)
    end()
    if not blocks:
        blocks = [Block(name) for name in headings.values()]
    return Content(blocks, {"lines": len(lines)})


def _joined(lines: list[str]) -> list[str]:
    """Paragraphs: what stands between two empty lines."""
    found, waiting = [], []
    for line in [*lines, ""]:
        if line.strip():
            waiting.append(" ".join(line.split()))
        elif waiting:
            found.append(" ".join(waiting))
            waiting = []
    return found
