"""Runs the guards that stand in the folders `input` and `output`. A new guard is a new file.

A guard that raises blocks: not knowing is not a yes.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Protocol, cast

from app.core import tracing
from app.core.logging import log
from app.guardrails import input as input_guards
from app.guardrails import output as output_guards
from app.guardrails.stricter import NOTHING, Stricter
from app.guardrails.verdicts import (
    AnswerContext,
    Finding,
    Mask,
    Opinion,
    Question,
    Refused,
    Screen,
    Verdict,
)


class InputGuard(Protocol):
    VERSION: int

    async def check(self, question: Question) -> Verdict: ...


class OutputGuard(Protocol):
    VERSION: int

    def open_screen(self, context: AnswerContext) -> Screen | None:
        """None when there is nothing to watch for in this answer."""
        ...


async def check(question: Question, own: Stricter = NOTHING) -> list[Opinion]:
    """Ask every input guard; raises `Refused` with the first that blocks.

    `own` is what the organisation wants stricter.

    What a person must look at first stands in the opinions.
    """
    opinions = []
    for name, guard in _asked():
        try:
            verdict = own.of(name, await _traced(name, guard, question))
        except Exception as error:
            raise _failure(name, guard.VERSION) from error
        opinions.append(Opinion(name, guard.VERSION, verdict))
        if verdict.action == "block":
            raise Refused(opinions[-1])
    return opinions


async def _traced(name: str, guard: InputGuard, question: Question) -> Verdict:
    with tracing.span(f"guard {name}") as span:
        verdict = await guard.check(question)
        if span is not None:
            told = {"app.guard.action": verdict.action, "app.guard.reason": verdict.reason}
            span.set_attributes(told)
    return verdict


async def masks(text: str) -> list[Mask]:
    """What must not go to the model of a text that nobody asks now, such as an earlier answer."""
    found: list[Mask] = []
    for name, guard in _asked():
        if getattr(guard, "MASKS", False):
            try:
                found += (await guard.check(Question(text))).masks
            except Exception as error:
                raise _failure(name, guard.VERSION) from error
    return found


async def without_data(text: str) -> str:
    """The text with words such as [EMAIL] in place of what must not leave, for good."""
    parts, at = [], 0
    for mask in sorted(await masks(text), key=lambda one: (one.start, -one.end)):
        if mask.start >= at:
            parts += [text[at : mask.start], f"[{mask.kind.upper()}]"]
            at = mask.end
    return "".join([*parts, text[at:]])


def versions() -> dict[str, int]:
    """Every guard that is asked with its version, as calls record them."""
    entering = {name: guard.VERSION for name, guard in _asked()}
    return entering | {name: guard.VERSION for name, guard in _output_guards()}


class AnswerScreens:
    """All output guards over one answer. What it returns may be shown; the rest waits."""

    def __init__(self, context: AnswerContext, own: Stricter = NOTHING) -> None:
        self._own = own
        self.findings: list[tuple[str, Finding]] = []
        self.review: Opinion | None = None
        """A guard wants a person to look at this answer first."""
        self._screens: list[tuple[str, int, Screen]] = []
        self._pending = ""
        self._shown = 0
        self._masks: list[Finding] = []
        for name, guard in _output_guards():
            try:
                screen = guard.open_screen(context)
            except Exception as error:
                raise _failure(name, guard.VERSION) from error
            if screen is not None:
                self._screens.append((name, guard.VERSION, screen))

    def feed(self, text: str, *, last: bool = False) -> str:
        """Take the next piece of the answer; raises `Refused` when the rest is withheld."""
        waiting = 0
        self._pending += text
        for name, version, screen in self._screens:
            try:
                held, found = screen.feed(text, last=last)
            except Exception as error:
                raise _failure(name, version) from error
            if found:
                for finding in found:
                    self._take(name, version, finding)
            if held > waiting:
                waiting = held
        return self._release(len(self._pending) - waiting)

    def _take(self, name: str, version: int, finding: Finding) -> None:
        masks = not finding.review and finding.replacement is not None
        usual = "review" if finding.review else "mask" if masks else "block"
        action = self._own.action(name, usual)
        if action == "review":
            opinion = Opinion(name, version, Verdict("review", finding.reason))
            self.review = self.review or opinion
        if not finding.review:
            self.findings.append((name, finding))
        if action == "block":
            raise Refused(Opinion(name, version, Verdict("block", finding.reason, 1.0)))
        if masks:
            self._masks.append(finding)

    def _release(self, count: int) -> str:
        if not self._masks:
            shown, self._pending = self._pending[:count], self._pending[count:]
            self._shown += len(shown)
            return shown
        end, parts, at = self._shown + count, [], self._shown
        left = []
        for mask in sorted(self._masks, key=lambda one: one.start):
            if mask.start >= end:
                left.append(mask)
                continue
            if mask.end > end:
                # Another guard holds back the rest of what this one replaces.
                end = max(at, mask.start)
                left.append(mask)
                continue
            if mask.end > at:
                parts.append(self._pending[at - self._shown : max(at, mask.start) - self._shown])
                parts.append(mask.replacement or "")
                at = mask.end
        parts.append(self._pending[at - self._shown : max(at, end) - self._shown])
        end = max(at, end)
        self._pending = self._pending[end - self._shown :]
        self._shown, self._masks = end, left
        return "".join(parts)


def _failure(name: str, version: int) -> Refused:
    log.exception("guard.failed", guard=name)
    return Refused(Opinion(name, version, Verdict("block", "failed")), failed=True)


def _asked() -> Iterator[tuple[str, InputGuard]]:
    """Leaves out a guard that a setting turned off: it has `is_on`."""
    for name, guard in _input_guards():
        if getattr(guard, "is_on", _always)():
            yield name, guard


def _always() -> bool:
    return True


@cache
def _input_guards() -> Sequence[tuple[str, InputGuard]]:
    return [(name, cast("InputGuard", one)) for name, one in _guards(input_guards, "check")]


@cache
def _output_guards() -> Sequence[tuple[str, OutputGuard]]:
    return [(name, cast("OutputGuard", one)) for name, one in _guards(output_guards, "open_screen")]


def _guards(folder: ModuleType, function: str) -> Iterator[tuple[str, ModuleType]]:
    """The modules of a folder that have a VERSION; one without its function stops the start."""
    for file in sorted(iter_modules(folder.__path__), key=lambda one: one.name):
        module = import_module(f"{folder.__name__}.{file.name}")
        if hasattr(module, "VERSION"):
            if not callable(getattr(module, function, None)):
                raise TypeError(f"{module.__name__} is a guard without `{function}`.")
            yield file.name, module
