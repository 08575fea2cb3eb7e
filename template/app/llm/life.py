"""Finds the steps of a call and puts them in order.

A step is a file in app/llm/steps, or `call_step.py` in another module. It has any of

    async def before(call)             runs before the model is asked; raises to refuse
    def around(call, proceed)          an async generator around the answer's events
    async def after(call, db)          runs however the call ends, all in one `direct` transaction

The gateway's list says in which order. A step that is not in the list names one that is, in
`AFTER`, and comes right after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from app.llm import steps
from app.llm.call import Call, Events, Proceed
from app.modules import parts


class StepMissing(RuntimeError):
    """Calls would run without a step that protects people or money."""


@dataclass(frozen=True)
class Step:
    name: str
    module: ModuleType

    def has(self, kind: str) -> bool:
        return callable(getattr(self.module, kind, None))

    def __getattr__(self, kind: str) -> Any:
        # Looked up at each call, so that there is one place where a step can be replaced.
        return getattr(self.module, kind)


@dataclass(frozen=True)
class Life:
    """The steps in order, with the whole way to the provider put together once."""

    steps: Sequence[Step]
    proceed: Proceed


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
    inner: Proceed = _ask_provider
    return Life(made, reduce(_around, (one for one in made if one.has("around")), inner))


@cache
def _found() -> dict[str, ModuleType]:
    own = {
        file.name: import_module(f"{steps.__name__}.{file.name}")
        for file in iter_modules(steps.__path__)
    }
    return own | {part.__name__.split(".")[1]: part for part in parts("call_step")}


def _ask_provider(call: Call) -> Events:
    return call.opens(call.routed.stream(call.ask))


def _around(inner: Proceed, step: Step) -> Proceed:
    def outer(call: Call) -> Events:
        return call.opens(step.around(call, inner))

    return outer
