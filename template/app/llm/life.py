"""Finds the steps of a call and puts them in order.

A step is a file in app/llm/steps, or `call_step.py` in another module. It has any of

    async def before(call)             runs before the model is asked; raises to refuse
    def around(call, proceed)          an async generator around the answer's events
    async def opening(call, begin)     around the wait for the first event only: costs nothing later
    async def after(call, db)          runs however the call ends, all in one `direct` transaction,
                                       and once more when that could not be committed
    def ended(call)                    runs once, when that is over: for what is not in the database

The gateway's list says in which order. A step that is not in the list names one that is, in
`AFTER`, and comes right after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from app.llm import spans, steps
from app.llm.call import Begin, Begun, Call, Events, Proceed
from app.modules import parts


class StepMissing(RuntimeError):
    """Calls would run without a step that protects people or money."""


@dataclass(frozen=True)
class Step:
    name: str
    module: ModuleType

    def has(self, kind: str) -> bool:
        return kind in vars(self.module)

    def __getattr__(self, kind: str) -> Any:
        # Looked up at each call, so that there is one place where a step can be replaced.
        return getattr(self.module, kind)


@dataclass(frozen=True)
class Life:
    """The steps in order, with the whole way to the provider put together once."""

    steps: Sequence[Step]
    proceed: Proceed
    before: Sequence[Step]
    after: Sequence[Step]
    ended: Sequence[Step]


def arranged(order: tuple[str, ...], required: frozenset[str]) -> Life:
    """Raises `StepMissing` when one of `required` has no file."""
    found = _found()
    missing = required - found.keys()
    if missing:
        raise StepMissing(f"app/llm/steps lacks {', '.join(sorted(missing))}.")
    arranged = [name for name in order if name in found]
    waiting = [name for name in sorted(found, reverse=True) if name not in order]
    for name in waiting:
        after = getattr(found[name], "AFTER", None)
        if after not in order:
            raise StepMissing(f"The step {name} must say in AFTER which step it follows.")
        # Absent neighbours are skipped backwards, so that its place in the list holds.
        known = order[: order.index(after) + 1]
        place = max((arranged.index(one) for one in known if one in arranged), default=-1)
        arranged.insert(place + 1, name)
    made = [Step(name, found[name]) for name in arranged]
    before, after, ended = (
        [one for one in made if one.has(kind)] for kind in ("before", "after", "ended")
    )
    return Life(made, _way(made), before, after, ended)


@cache
def _found() -> dict[str, ModuleType]:
    own = {
        file.name: import_module(f"{steps.__name__}.{file.name}")
        for file in iter_modules(steps.__path__)
    }
    return own | {part.__name__.split(".")[1]: part for part in parts("call_step")}


def _way(steps: Sequence[Step]) -> Proceed:
    """Each step stands around those before it. Neighbours that only open share one generator."""
    way: Proceed = _ask_provider
    begin: Begin | None = None
    for step in steps:
        if step.has("opening"):
            begin = _opening(begin or _beginning(way), step)
        elif step.has("around"):
            way, begin = _around(_going_on(begin) if begin else way, step), None
    return _going_on(begin) if begin else way


def _ask_provider(call: Call) -> Events:
    if call.span is None:
        return call.opens(call.routed.stream(call.ask))
    return call.opens(spans.asked(call, call.routed))


def _around(inner: Proceed, step: Step) -> Proceed:
    def outer(call: Call) -> Events:
        return call.opens(step.around(call, inner))

    return outer


def _opening(inner: Begin, step: Step) -> Begin:
    async def outer(call: Call) -> Begun:
        begun: Begun = await step.opening(call, inner)
        return begun

    return outer


def _beginning(way: Proceed) -> Begin:
    async def begin(call: Call) -> Begun:
        events = way(call)
        return await anext(events, None), events

    return begin


def _going_on(begin: Begin) -> Proceed:
    async def events(call: Call) -> Events:
        first, rest = await begin(call)
        if first is not None:
            yield first
            async for event in rest:
                yield event

    return lambda call: call.opens(events(call))
