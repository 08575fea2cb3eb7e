"""Files that somebody made to do harm, or that something broke."""

import zipfile
from collections.abc import Callable
from io import BytesIO

from fpdf import FPDF

from tests.documents.conftest import A_PAGE, TRAVEL, a_docx, a_pdf


def with_part(name: str, content: bytes, docx: bytes = b"") -> bytes:
    """A Word file with a further or another part."""
    out = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(docx or a_docx())) as given,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for part in given.infolist():
            if part.filename != name:
                made.writestr(part, given.read(part))
        made.writestr(name, content)
    return out.getvalue()


def replaced(part: str, old: bytes, new: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(a_docx())) as given:
        content = given.read(part)
    assert old in content
    return with_part(part, content.replace(old, new, 1))


FONT = "/F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
PAGE = (
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R"
    f" /Resources << /Font << {FONT} >> >> >>"
)


def bare_pdf(catalog: str, *objects: str) -> bytes:
    """A small PDF by hand: the catalogue's further entries, and further objects from number 5."""
    parts = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE,
        (lambda text: f"<< /Length {len(text)} >>\nstream\n{text}\nendstream")(
            f"BT /F1 12 Tf 20 200 Td ({TRAVEL}) Tj ET"
        ),
        *objects,
    ]
    out = b"%PDF-1.7\n"
    places = []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{part}\nendobj\n".encode("latin-1")
    start = len(out)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return out + (
        f"xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(parts) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ).encode("latin-1")


def locked_pdf() -> bytes:
    made = FPDF()
    made.set_encryption(owner_password="owner", user_password="user")
    made.add_page()
    made.set_font("helvetica", size=12)
    made.multi_cell(0, 8, TRAVEL)
    return bytes(made.output())


def zip_of(**parts: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return out.getvalue()


RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://x/relationships/{kind}" Target="https://evil.example/t"'
    ' TargetMode="External"/></Relationships>'
)
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><w:document xmlns:w="http://schemas.openxmlformats.org/'
    'wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>&c;</w:t></w:r></w:p></w:body></w:document>'
)
SCRIPT = "/S /JavaScript /JS (app.alert\\(1\\))"
FIELD = b"<w:p><w:r><w:instrText>DDE</w:instrText></w:r><w:r><w:instrText>AUTO c:\\x</w:instrText></w:r></w:p></w:body>"  # noqa: E501
FILES: dict[str, tuple[str, bytes | Callable[[], bytes], str]] = {
    # What is wrong with it: its name, its bytes (or what makes them, when that takes a while),
    # and what it is refused for.
    "nothing": ("a.txt", b"", "empty"),
    "a program": ("a.exe", b"MZ" + bytes(100), "not_accepted"),
    "a program called text": ("a.txt", b"MZ\x90" + b"x" * 100, "another_kind"),
    "a script called text": ("a.txt", b"#!/bin/sh\nrm -rf /\n", "another_kind"),
    "an archive called Word": ("a.docx", zip_of(hello=b"there"), "another_kind"),
    "a picture called PDF": ("a.pdf", b"\x89PNG\r\n\x1a\n" + bytes(50), "another_kind"),
    "a page called text": ("a.txt", A_PAGE.encode(), "another_kind"),
    "a page called Markdown": ("a.md", b"<!-- x -->\n" + A_PAGE.encode(), "another_kind"),
    "old Word": ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "another_kind"),
    "PDF with an archive behind it": ("a.pdf", a_pdf() + zip_of(a=b"b"), "polyglot"),
    "PDF with a page behind it": ("a.pdf", a_pdf() + A_PAGE.encode(), "polyglot"),
    "Word with something behind it": ("a.docx", a_docx() + b"MZ" * 20, "polyglot"),
    "text with an archive behind it": ("a.txt", TRAVEL.encode() + zip_of(a=b"b"), "polyglot"),
    "text with a PDF inside": ("a.txt", b"Hello there\n%PDF-1.7 and on\n", "polyglot"),
    "PDF cut off": ("a.pdf", a_pdf()[:700], "damaged"),
    "PDF with a password": ("a.pdf", locked_pdf(), "encrypted"),
    "PDF with JavaScript": (
        "a.pdf", bare_pdf("/OpenAction 5 0 R", f"<< {SCRIPT} >>"), "active_content",
    ),
    "PDF with JavaScript in the tree of names": (
        "a.pdf",
        bare_pdf("/Names << /JavaScript << /Names [(a) 5 0 R] >> >>", f"<< {SCRIPT} >>"),
        "active_content",
    ),
    "PDF with JavaScript under another spelling": (
        "a.pdf", bare_pdf("/OpenAction 5 0 R", "<< /S /Java#53cript /J#53 () >>"),
        "active_content",
    ),
    "PDF that starts a program": (
        "a.pdf", bare_pdf("/OpenAction << /S /Launch /F (cmd.exe) >>"), "active_content",
    ),
    "PDF with a form of its own": (
        "a.pdf", bare_pdf("/AcroForm << /XFA [(a) 5 0 R] >>", "<< >>"), "active_content",
    ),
    "PDF with a file in it": (
        "a.pdf",
        bare_pdf("/Names << /EmbeddedFiles << /Names [(x) 5 0 R] >> >>", "<< /Type /Filespec >>"),
        "embedded_files",
    ),
    "PDF without text": ("a.pdf", a_pdf("", ""), "no_text"),
    "Word with macros": ("a.docx", with_part("word/vbaProject.bin", b"x"), "macros"),
    "Word that says it has macros": (
        "a.docx",
        replaced("[Content_Types].xml", b".document.main+xml", b".document.macroEnabled.main+xml"),
        "macros",
    ),
    "Word with a program in it": (
        "a.docx", with_part("word/embeddings/oleObject1.bin", b"x"), "embedded_files",
    ),
    "Word with a template elsewhere": (
        "a.docx",
        with_part("word/_rels/settings.xml.rels",
                  RELATIONSHIPS.format(kind="attachedTemplate").encode()),
        "external_content",
    ),
    "Word with a field that runs": (
        "a.docx", replaced("word/document.xml", b"</w:body>", FIELD), "active_content",
    ),
    "Word with laughing entities": (
        "a.docx", with_part("word/document.xml", LAUGHS.encode()), "xml_entities",
    ),
    "Word with entities in UTF-16": (
        "a.docx",
        with_part("word/document.xml", LAUGHS.replace('"1.0"', '"1.0" encoding="UTF-16"', 1)
                  .encode("utf-16")),
        "xml_entities",
    ),
    "Word that unpacks to ninety megabytes": (
        "a.docx",
        lambda: with_part("word/media/a.xml", b" " * 90_000_000),
        "unpacks_too_large",
    ),
    "Word that unpacks to more than is taken": (
        "a.docx",
        lambda: with_part("word/media/a.png", b"\0" * 120_000_000),
        "unpacks_too_large",
    ),
    "Word with a part outside": ("a.docx", with_part("../../evil.xml", b"<a/>"), "damaged"),
    "page with a script": ("a.html", A_PAGE.replace("<p>", "<script>x</script><p>").encode(),
                           "active_content"),
    "page with a handler": ("a.html", b"<html><body><p OnClick='x'>Hello</p></body></html>",
                            "active_content"),
    "page with an address that runs": (
        "a.html", b"<html><body><a href='jav\tascript:x()'>Hello</a></body></html>",
        "active_content",
    ),
    "page with a page in it": ("a.html", b"<html><body><iframe src=x></iframe>a</body></html>",
                               "active_content"),
    "page that leads on": (
        "a.html", b"<html><head><meta http-equiv=Refresh content='0;url=x'></head>a</html>",
        "active_content",
    ),
    "page in an encoding that hides a script": (
        "a.html", "<html><body><script>x</script>Hello</body></html>".encode("utf-16"),
        "active_content",
    ),
    "page with nothing to see": ("a.html", b"<html><body><p hidden>secret</p></body></html>",
                                 "no_text"),
    "table with rows of odd lengths": ("a.csv", b"a,b\n1,2\n3\n", "damaged"),
    "table with two columns of one name": ("a.csv", b"a,A\n1,2\n", "damaged"),
    "table without rows": ("a.csv", b"a,b\n", "damaged"),
    "table with an open quote": ("a.csv", b'a,b\n"1,2\n', "damaged"),
    "text that is no text": ("a.txt", bytes(range(256)) * 8, "unknown_encoding"),
    "too little text": ("a.txt", b"Hello.", "too_little_text"),
    "what bad text recognition leaves": (
        "a.txt", b"xq##z kkjtrw ~~~ brtpl1|| mm;;ttrp zzxqv %%^ wrtkkl >>>|| qqrtz " * 10,
        "unreadable_text",
    ),
}  # fmt: skip
