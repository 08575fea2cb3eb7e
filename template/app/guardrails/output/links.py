"""Links and images in an answer lead nowhere but to the hosts of a list.

An image is fetched by whoever shows the answer, and a link by one click: both carry what a poisoned
document told the model to write into them. In fenced code links stay, since nothing opens them
there; images do not, since not everyone agrees on where a fence ends.
"""

import re
from urllib.parse import urlsplit

from app.guardrails.settings import GuardrailsSettings
from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1

LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>[^\]\n]{0,300})\]\(\s{0,3}<?(?P<target>[^)\s>]{0,2000})[^)\n]{0,300}\)"
    r"|(?P<url>(?:(?:h(?:tt|xx)ps?|ftp|wss?):|(?<![:\w/.]))//[^\s<>()\[\]\"'`]+|\bwww\.[^\s<>()\[\]\"'`]+)",
    re.IGNORECASE,
)
# Code begins in one way alone, and ends with whatever some reader takes for its end.
OPENS = re.compile(r"(?m)^```[\w+-]*[ \t]*$")
CLOSES = re.compile(r"(?m)^ {0,3}`{3,}.*$")
# What the next piece may still make a link of.
UNFINISHED = re.compile(
    r"!?\[[^\]\n]{0,300}(?:\](?:\([^)\n]{0,2400})?)?$"
    r"|(?:(?:h(?:tt|xx)ps?|ftp|wss?):|//|www\.)[^\s<>()\[\]\"'`]{0,2400}$"
    r"|(?:\b(?:h(?:t(?:tp?s?)?|xxp?s?|x)?|f(?:tp?)?|w(?:ww?|ss?)?)|!|(?<![:/])/)$"
    r"|(?<![^\n]) {0,3}`{1,2}$|(?<![^\n]) {0,3}`{3,}[^\n`]{0,200}$|(?<![^\n]) {1,3}$",
    re.IGNORECASE,
)
# Without any of these in it, a piece makes no link, image or fence, whatever came before; only its
# end may be the beginning of one.
MAY_MATTER = re.compile(r"[\[:/`\n]|ww", re.IGNORECASE)
MAY_BEGIN = re.compile(
    r"(?:\b(?:h(?:t(?:tp?s?)?|xxp?s?|x)?|f(?:tp?)?|w(?:ww?|ss?)?)|!)$", re.IGNORECASE
)
LONGEST_BEGINNING = 5
HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+")
TRAILING = ".,;:!?"
REMOVED = "[link removed]"
IMAGE_REMOVED = "[image removed]"


def open_screen(_: AnswerContext) -> "LinkScreen":
    return LinkScreen(GuardrailsSettings.load().link_hosts)


class LinkScreen:
    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts = tuple(host.lower() for host in hosts)
        self._before = "\n"
        self._rest = ""
        self._offset = 0
        self._in_code = False

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        if text and not last and not self._rest and self._is_plain(text):
            self._before = text[-1]
            self._offset += len(text)
            return 0, []
        view = self._before + self._rest + text
        at, skip = len(self._before), self._offset - len(self._before)
        unfinished = None if last else UNFINISHED.search(view, at)
        end = unfinished.start() if unfinished else len(view)
        findings = []
        fences = self._fences(view, at, end)
        for found in LINK.finditer(view, at, end):
            in_code = [inside for start, inside in fences if start <= found.start()][-1]
            stop, instead = self._judged(found, in_code)
            if instead is not None:
                start = found.start()
                findings.append(Finding(skip + start, skip + stop, "link", instead))
        self._in_code = fences[-1][1]
        self._before = view[max(0, end - 1) : end]
        self._rest = view[end:]
        self._offset = skip + end
        return len(self._rest), findings

    def _is_plain(self, text: str) -> bool:
        """Most pieces are: what follows would find nothing in them."""
        return not (
            MAY_MATTER.search(text)
            or (self._before == "\n" and text[0] == " ")
            or MAY_BEGIN.search(text, max(0, len(text) - LONGEST_BEGINNING))
        )

    def _fences(self, view: str, at: int, end: int) -> list[tuple[int, bool]]:
        """From where on it is code, and from where on it is not."""
        fences = [(at, self._in_code)]
        while found := (CLOSES if fences[-1][1] else OPENS).search(view, at, end):
            fences.append((found.start(), not fences[-1][1]))
            at = found.end()
        return fences

    def _judged(self, found: re.Match[str], in_code: bool) -> tuple[int, str | None]:
        """Where it ends, and what stands in its place; None when it may stay."""
        if url := found["url"]:
            bare = url.rstrip(TRAILING)
            stays = in_code or self._may(bare, image=False)
            return found.start() + len(bare), None if stays else REMOVED
        if found["image"]:
            return found.end(), None if self._may(found["target"], image=True) else IMAGE_REMOVED
        if in_code or self._may(found["target"], image=False):
            return found.end(), None
        text = found["text"]
        return found.end(), REMOVED if "[" in text or "!" in text else f"{text} {REMOVED}"

    def _may(self, target: str, *, image: bool) -> bool:
        if "\\" in target or "@" in target.split("?")[0].split("#")[0]:
            return target.lower().startswith("mailto:") and not image
        if target.lower().startswith("www."):
            target = f"https://{target}"
        try:
            parts = urlsplit(target)
        except ValueError:
            return False
        if not parts.scheme and not parts.netloc:
            return True  # Of this app.
        if parts.scheme.lower() not in ("http", "https", "hxxp", "hxxps", ""):
            return False
        host = (parts.hostname or "").lower()
        if "*" in self._hosts and not image:
            return True
        return any(host == one or host.endswith(f".{one}") for one in self._hosts if one != "*")
