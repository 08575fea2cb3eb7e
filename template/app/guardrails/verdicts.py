"""What guards are asked and what they say."""

import re
from dataclasses import dataclass
from typing import Literal, Protocol

Zone = Literal["person", "document", "tool"]


@dataclass(frozen=True, slots=True)
class Question:
    """A text on its way to the model, cleaned; `hidden` is what its invisible characters said."""

    text: str
    hidden: str = ""
    zone: Zone = "person"
    """Who wrote it: what a person typed is trusted more than what a document or tool says."""
    forbidden: re.Pattern[str] | None = None
    """Words that the organisation forbids."""
    forbidden_action: Literal["review", "block"] = "review"


@dataclass(frozen=True, slots=True)
class Mask:
    """What must not go to the model as it is, from `start` to `end` in characters."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is a word for logs and audit; nothing of the text stands in it."""

    action: Literal["allow", "mask", "block", "review"]
    """`review`: the model is asked, and a person looks at its answer before anyone else does."""
    reason: str = ""
    score: float = 0.0
    masks: tuple[Mask, ...] = ()
    """What to put placeholders in place of, when the action is `mask`."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """A guard's verdict, with the guard that gave it: what is recorded on each call."""

    guard: str
    version: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What the screens of one answer need to know."""

    system_prompt: str = ""
    canary: str = ""
    """A text that stands in the system prompt and nowhere else; empty for none."""
    forbidden: re.Pattern[str] | None = None
    """Words that the organisation forbids."""
    forbidden_words: tuple[str, ...] = ()
    forbidden_action: Literal["review", "block"] = "review"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in an answer, from `start` to `end` in characters from the answer's beginning."""

    start: int
    end: int
    reason: str
    replacement: str | None = None
    """Shown instead of it; None withholds the rest of the answer."""
    review: bool = False
    """A person looks at the whole answer first; nothing more of it is shown until then."""


class Screen(Protocol):
    """Watches one answer as it streams."""

    def feed(self, text: str, *, last: bool) -> tuple[int, list[Finding]]:
        """Take the next piece; return how many characters at the end must wait, and findings.

        Everything that may still become part of a finding must wait. With `last` nothing waits.
        """
        ...


class Refused(Exception):
    """A guard blocks. `failed` when it could not work, which blocks just the same."""

    def __init__(self, opinion: Opinion, *, failed: bool = False) -> None:
        super().__init__(f"{opinion.guard}: {opinion.verdict.reason}")
        self.opinion = opinion
        self.failed = failed
