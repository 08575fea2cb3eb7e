"""Keys, tokens and private keys in an answer: tokens are masked, a private key ends the answer."""

import re

from app.core import credentials
from app.guardrails.verdicts import AnswerContext, Finding

VERSION = 1

PRIVATE = "private key"
# How a secret begins, and what the whole of it looks like.
KINDS = {
    "AWS key": (("AKIA", "ASIA"), r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    "GitHub token": (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}",
    ),
    "GitLab token": (("glpat-",), r"glpat-[\w.-]{20,}"),
    "Slack token": (
        ("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"),
        r"(?:xox[abeoprs]|xapp)-[\w-]{15,}",
    ),
    "Stripe key": (
        ("sk_live_", "sk_test_", "rk_live_", "rk_test_"),
        r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    ),
    "API key": (("sk-",), r"sk-(?=[\w-]*[A-Za-z0-9]{16})[\w-]{20,}"),
    "Google key": (("AIza",), r"AIza[\w-]{35}"),
    "Hugging Face token": (("hf_",), r"hf_[A-Za-z0-9]{30,}"),
    "npm token": (("npm_",), r"npm_[A-Za-z0-9]{36}"),
    "PyPI token": (("pypi-",), r"pypi-[\w-]{50,}"),
    "SendGrid key": (("SG.",), r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    "storage key": (("AccountKey=",), r"AccountKey=[A-Za-z0-9+/]{40,}={0,2}"),
    "JSON web token": (("eyJ",), r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
    "key of this app": (
        tuple(map(credentials.prefix, (*credentials.KEY_KINDS, *credentials.TOKEN_KINDS))),
        credentials.pattern(),
    ),
    PRIVATE: (("-----BEGIN ",), r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"),
}
WHOLE = {kind: re.compile(pattern, re.ASCII) for kind, (_, pattern) in KINDS.items()}
BEGINNINGS = {text: kind for kind, (texts, _) in KINDS.items() for text in texts}
BEGINNING = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    + "|".join(sorted(map(re.escape, BEGINNINGS), key=len, reverse=True))
    + ")"
)
# Every beginning has one of these, and few words do.
MARKS = {next(c for c in text if not c.islower()) for text in BEGINNINGS}
MARK = re.compile(f"[{re.escape(''.join(sorted(MARKS)))}]")
PREFIXES = frozenset(text[:size] for text in BEGINNINGS for size in range(1, len(text)))
LONGEST_PREFIX = max(map(len, PREFIXES))
LAST_OF_PREFIX = frozenset(text[-1] for text in PREFIXES)
BODY = re.compile(r"[\w.+/=-]+", re.ASCII)
ARMOUR = re.compile(r"-----BEGIN [A-Z0-9 ]*")
LONGEST = 8192
# What documentation writes in place of a key has few different characters or says what it is.
FEWEST_CHARACTERS = 8
PLACEHOLDER = re.compile("EXAMPLE|YOUR|PLACEHOLDER|XXXX", re.IGNORECASE)


def open_screen(_: AnswerContext) -> "SecretScreen":
    return SecretScreen()


class SecretScreen:
    def __init__(self) -> None:
        self._rest = ""
        """What has not been judged, after the one character before it."""
        self._before = ""
        self._offset = 0

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        view = self._before + self._rest + text
        at, skip, findings = len(self._before), self._offset - len(self._before), []
        waiting = len(view)
        while MARK.search(view, at) and (begin := BEGINNING.search(view, at)):
            start, kind = begin.start(), BEGINNINGS[begin[0]]
            body = (ARMOUR if kind == PRIVATE else BODY).match(view, start)
            end = body.end() if body else begin.end()
            complete = last or end < len(view)
            whole = WHOLE[kind].match(view, start) if complete or kind == PRIVATE else None
            if whole and _real(whole[0], kind):
                mask = None if kind == PRIVATE else f"[{kind} removed]"
                findings.append(Finding(skip + start, skip + end, kind, mask))
                at = end
                continue
            if not complete:
                if end - start > LONGEST:
                    findings.append(Finding(skip + start, skip + end, kind))
                waiting = start
                break
            at = begin.end()
        if waiting == len(view) and not last:
            waiting -= _unfinished(view, at)
        # A lookbehind needs the character before.
        self._before = view[max(0, waiting - 1) : waiting]
        self._rest = view[waiting:]
        self._offset = skip + waiting
        return len(self._rest), findings


def secrets_in(text: str) -> list[tuple[int, int, str]]:
    """Where in a whole text they stand, and of which kind.

    A private key goes on to the end of the text: its lines follow its name, and what ends them is
    easily lost.
    """
    _, findings = SecretScreen().feed(text, last=True)
    return [
        (one.start, len(text) if one.reason == PRIVATE else one.end, one.reason) for one in findings
    ]


def _real(text: str, kind: str) -> bool:
    if kind == PRIVATE:
        return True
    if kind == "API key" and not re.search(r"\d", text):
        return False
    return len(set(text)) >= FEWEST_CHARACTERS and not PLACEHOLDER.search(text)


def _unfinished(view: str, at: int) -> int:
    """Length of the end that may be the beginning of a beginning."""
    if view[-1:] not in LAST_OF_PREFIX:
        return 0
    for size in range(min(LONGEST_PREFIX, len(view) - at), 0, -1):
        if view[-size:] in PREFIXES:
            before = view[-size - 1 : -size]
            if not (before.isascii() and (before.isalnum() or before == "_")):
                return size
    return 0
