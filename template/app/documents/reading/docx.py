"""Word: the archive and every part of it are looked at before a library reads the text."""

import re
import zipfile
from io import BytesIO

from docx import Document
from docx.table import Table
from lxml import etree

from app.documents.reading.content import Block, Content, Refused

MOST_PARTS = 5_000
MOST_UNPACKED = 100_000_000
MOST_RATIO = 200
SMALL = 1_000_000
MACROS = re.compile(rb"macroEnabled|vbaProject", re.IGNORECASE)
FIELDS = re.compile(rb"\b(?:DDEAUTO|DDE|INCLUDETEXT|INCLUDEPICTURE)\b")
EMBEDDED = ("/embeddings/", "/activex/", "/vba", "oleobject")
# What Word loads by itself when it opens the file; a link is only followed by hand.
LOADED = ("attachedtemplate", "oleobject", "frame", "subdocument", "image", "externallink")
RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


def read(data: bytes) -> Content:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            _check(archive)
        return _text(data)
    except Refused:
        raise
    except MemoryError:
        raise
    except Exception as error:  # a library that reads what strangers wrote raises anything
        raise Refused("damaged") from error


def _check(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    names = [one.filename for one in parts]
    if len(parts) > MOST_PARTS or sum(one.file_size for one in parts) > MOST_UNPACKED:
        raise Refused("unpacks_too_large")
    if "[Content_Types].xml" not in names or "word/document.xml" not in names:
        raise Refused("another_kind")
    if len(set(names)) != len(names) or any(map(_leads_out, names)):
        raise Refused("damaged")
    if any(one.flag_bits & 1 for one in parts):
        raise Refused("encrypted")
    for part in parts:
        name = f"/{part.filename.lower()}"
        if part.file_size > SMALL and part.file_size > MOST_RATIO * max(1, part.compress_size):
            raise Refused("unpacks_too_large")
        if "vbaproject" in name:
            raise Refused("macros")
        if any(one in name for one in EMBEDDED):
            raise Refused("embedded_files")
        if name.endswith((".xml", ".rels")):
            # Reads no more than the archive says the part has, whatever is packed into it.
            _check_part(name, archive.read(part))


def _leads_out(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in name.split("/") or "\\" in name or "\0" in name


def _check_part(name: str, data: bytes) -> None:
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, recover=False
    )
    root = etree.fromstring(data, parser)
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.doctype:
        raise Refused("xml_entities")
    if name == "/[content_types].xml" and MACROS.search(data):
        raise Refused("macros")
    if name.endswith(".rels"):
        for one in root.iter(RELATIONSHIP):
            kind = one.get("Type", "").rpartition("/")[2].lower()
            if one.get("TargetMode") == "External" and kind in LOADED:
                raise Refused("external_content")
    elif FIELDS.search("".join(_instructions(root)).encode()):
        raise Refused("active_content")


def _instructions(root: etree._Element) -> list[str]:
    """The texts of fields, which may be written in pieces."""
    found = []
    for one in root.iter("{*}instrText", "{*}fldSimple"):
        found.append(one.text or "")
        found += [value for key, value in one.attrib.items() if key.endswith("instr")]
    return found


def _text(data: bytes) -> Content:
    document = Document(BytesIO(data))
    blocks: list[Block] = []
    headings: dict[int, str] = {}
    tables = 0
    for part in document.iter_inner_content():
        heading = " › ".join(headings.values())
        if isinstance(part, Table):
            tables += 1
            for row in part.rows:
                cells = [" ".join(cell.text.split()) for cell in row.cells]
                # A merged cell is told once for each cell it covers.
                told = [
                    one for at, one in enumerate(cells) if one and (not at or one != cells[at - 1])
                ]
                blocks.append(Block(" | ".join(told), heading))
            continue
        text = " ".join(part.text.split())
        level = _level(part.style.name if part.style is not None else "")
        if level and text:
            headings = {one: name for one, name in headings.items() if one < level}
            headings[level] = text[:200]
        elif text:
            blocks.append(Block(text, heading))
    if not blocks:  # Only headings: they are the text.
        blocks = [Block(name) for name in headings.values()]
    return Content(
        [one for one in blocks if one.text],
        {"paragraphs": len(blocks), "tables": tables},
    )


def _level(style: str | None) -> int:
    if style == "Title":
        return 1
    name, _, number = (style or "").partition(" ")
    return int(number) + 1 if name == "Heading" and number.isdecimal() and len(number) < 2 else 0
