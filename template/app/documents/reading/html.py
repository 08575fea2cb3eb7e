"""HTML: refused when anything in it runs; what a reader would not see is left out."""

import re

from lxml import etree
from lxml import html as parser

from app.documents.reading.content import Block, Content, Refused
from app.documents.reading.text import decoded

RUNS = {"script", "iframe", "frame", "object", "embed", "applet", "portal"}
UNSEEN = {"head", "style", "noscript", "template", "title", "svg", "math", "select", "datalist"}
ENDS_A_BLOCK = {
    "p", "div", "li", "td", "th", "tr", "dt", "dd", "pre", "blockquote", "section", "article",
    "br",
    "header", "footer", "main", "nav", "aside", "table", "ul", "ol", "dl", "figcaption", "caption",
    "hr", "body", "html", "form", "fieldset", "address", "details", "summary", "h1", "h2", "h3",
    "h4", "h5", "h6",
}  # fmt: skip
HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)",
    re.I,
)
# Tabs and line ends inside the word do not keep a browser from running it.
SCRIPT_ADDRESS = re.compile(
    r"^[\s\x00-\x20]*(?:j\s*a\s*v\s*a|v\s*b)\s*s\s*c\s*r\s*i\s*p\s*t\s*:|^\s*data:text/html", re.I
)
HEADING = re.compile(r"h([1-6])")


def read(data: bytes) -> Content:
    text = decoded(data)
    if not text.strip():
        raise Refused("empty")
    try:
        # As text: an encoding that the page declares was looked at already.
        root = parser.document_fromstring(
            text.encode("utf-8", "replace"), parser=parser.HTMLParser(encoding="utf-8")
        )
    except (etree.LxmlError, ValueError) as error:
        raise Refused("damaged") from error
    _refuse_what_runs(root)
    walk = _Walk()
    walk.over(root)
    return Content(walk.blocks, {"left_out": walk.left_out})


def _refuse_what_runs(root: etree._Element) -> None:
    for one in root.iter(etree.Element):
        tag = str(one.tag).lower()
        if tag in RUNS:
            raise Refused("active_content")
        for name, value in one.attrib.items():
            if name.lower().startswith("on") or SCRIPT_ADDRESS.match(value):
                raise Refused("active_content")
        if tag == "meta" and one.get("http-equiv", "").lower() == "refresh":
            raise Refused("active_content")


class _Walk:
    """Through the tree without recursion: a page may be nested as deep as it likes."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.left_out = 0
        self._headings: dict[int, str] = {}
        self._said: list[str] = []

    def over(self, root: etree._Element) -> None:
        skipping: etree._Element | None = None
        for event, one in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
            if event in {"comment", "pi"}:
                if skipping is None:
                    self._say(one.tail)
                continue
            tag = str(one.tag).lower()
            if skipping is not None:
                if event == "end" and one is skipping:
                    skipping = None
                    self._say(one.tail)
                continue
            if event == "start":
                if tag in UNSEEN or _is_hidden(one):
                    skipping = one
                    self.left_out += tag not in UNSEEN and bool("".join(one.itertext()).strip())
                    continue
                if tag in ENDS_A_BLOCK:
                    self._end()
                self._say(one.text)
            else:
                if found := HEADING.fullmatch(tag):
                    self._head(int(found[1]))
                elif tag in ENDS_A_BLOCK:
                    self._end()
                self._say(one.tail)
        self._end()

    def _say(self, text: str | None) -> None:
        if text:
            self._said.append(text)

    def _end(self) -> None:
        if text := " ".join("".join(self._said).split()):
            self.blocks.append(Block(text, " › ".join(self._headings.values())))
        self._said.clear()

    def _head(self, level: int) -> None:
        if text := " ".join("".join(self._said).split()):
            self._headings = {one: name for one, name in self._headings.items() if one < level}
            self._headings[level] = text[:200]
        self._said.clear()


def _is_hidden(one: etree._Element) -> bool:
    return (
        "hidden" in one.attrib
        or one.get("aria-hidden") == "true"
        or bool(HIDDEN_STYLE.search(one.get("style", "")))
    )
