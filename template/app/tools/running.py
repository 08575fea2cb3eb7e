"""Runs what a model asks for, or says why not. Whatever it writes, the person's rights bind it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core import tracing
from app.core.db import transaction
from app.core.errors import Problem
from app.core.logging import log
from app.core.outbound import OutboundFailed, OutboundRefused
from app.tools import service
from app.tools.registry import Arguments, Tool, Use, tools
from app.tools.rights import held_now
from app.tools.settings import ToolsSettings

State = Literal["done", "failed", "invalid", "refused", "waiting"]
Note = Callable[[AsyncSession, str], Awaitable[None]]
MOST_ERRORS = 5

TOLD = {
    "unknown_tool": "There is no tool of this name.",
    "not_permitted": "The person you work for may not do this. Tell them so.",
    "tainted": (
        "Not done: this conversation holds words that others have written, so only tools that read"
        " may be used in it. The person can begin a new conversation, or do it themselves."
    ),
    "not_in_person": "Not done: only someone who has signed in themselves can ask for this.",
    "arguments": "Its arguments were wrong twice, so it is closed for this answer.",
    "calls_spent": "No more tools can be used for this answer.",
    "too_slow": "It took too long and was stopped.",
    "failed": "It failed. What it would have changed is not changed.",
    "failed_outside": "It failed. Nobody knows whether it had an effect.",
    "failed_often": "It failed three times, so it is closed for this answer. Tell the person so.",
    "not_called": "The server that it needs is none that may be called. Nothing was sent.",
    "no_answer": "The server that it needs gave no usable answer.",
    "no_answer_outside": (
        "The server that it needs gave no usable answer. Nobody knows whether it had an effect."
    ),
    "interrupted": "The server stopped while it ran. Nobody knows whether it had an effect.",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one use of a tool."""

    name: str
    title: str
    state: State
    text: str
    """What the model is told."""
    reason: str = ""
    approval_id: UUID | None = None
    taints: bool = False

    @property
    def not_done(self) -> bool:
        return self.state not in {"done", "waiting"}

    @property
    def told(self) -> str:
        """What stands in the model's next question: a failure with its kind, to go on from."""
        return told(self.state, self.reason, self.text) if self.not_done else self.text or "-"


def told(state: str, reason: str, text: str) -> str:
    return f"[{state}: {reason}] {text or TOLD.get(reason, TOLD['failed'])}"


def refused(name: str, reason: str, title: str = "") -> Outcome:
    return Outcome(name, title or "A tool", "refused", TOLD[reason], reason)


def offered(person: Person) -> list[Tool]:
    """The tools that this person may use, by name."""
    found = sorted(tools().values(), key=lambda one: one.name)
    return [one for one in found if not _refusal(Use(person, tainted=False), one)]


def _refusal(use: Use, wanted: Tool) -> str:
    """Why not; empty when it may be used. Asked again at every use, whatever was offered."""
    person = use.person
    if wanted.permission not in person.permissions:
        return "not_permitted"
    if use.tainted and wanted.stakes != "read":
        return "tainted"
    if wanted.stakes == "high" and (person.by_key or person.impersonation is not None):
        return "not_in_person"
    return ""


async def run(use: Use, name: str, written: str) -> Outcome:
    """One use of a tool, with the arguments as the model wrote them. Raises nothing."""
    wanted = tools().get(name)
    known = wanted.name if wanted else "unknown"
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": known}
    with tracing.span(f"execute_tool {known}", told) as span:
        outcome = await _ran(use, wanted, name, written)
        if span is not None:
            span.set_attributes(
                {"app.tool.state": outcome.state, "app.tool.reason": outcome.reason}
            )
    return outcome


async def _ran(use: Use, wanted: Tool | None, name: str, written: str) -> Outcome:
    if wanted is None:
        # What the model made up is nobody's word, so it is not repeated.
        outcome = refused("unknown", "unknown_tool")
    elif reason := _refusal(use, wanted):
        outcome = refused(name, reason, wanted.title)
    else:
        try:
            outcome = await _checked(use, wanted, written)
        except Exception as error:  # noqa: BLE001 whatever happens here, the answer goes on
            log.exception("tool.not_begun", tool=name, error=type(error).__name__)
            outcome = Outcome(name, wanted.title, "failed", TOLD["failed"], "failed")
    if outcome.state != "done":
        await _record(use, outcome)
    return outcome


async def _checked(use: Use, wanted: Tool, written: str) -> Outcome:
    try:
        arguments = wanted.arguments.model_validate_json(written)
    except ValidationError as error:
        told = f"The arguments are wrong. {problems(error)} Nothing was done."
        return Outcome(wanted.name, wanted.title, "invalid", told, "arguments")
    if wanted.stakes == "high":
        async with _as(use) as db:
            asked = await service.ask(db, use, wanted, arguments)
        told = (
            "Not done yet: this waits for someone to approve it. Tell the person so. They find it"
            " under Approvals."
        )
        return Outcome(wanted.name, wanted.title, "waiting", told, approval_id=asked)
    return await executed(use, wanted, arguments)


async def executed(
    use: Use, wanted: Tool, arguments: Arguments, *, note: Note | None = None
) -> Outcome:
    """Run a tool within its time. `note` is kept together with what it changes."""
    seconds = wanted.seconds or ToolsSettings.load().seconds
    name, title = wanted.name, wanted.title
    try:
        async with asyncio.timeout(seconds):
            text = await _run(use, wanted, arguments, note)
    except TimeoutError:
        return Outcome(name, title, "failed", TOLD["too_slow"], "too_slow")
    except NoLongerPermitted:
        return refused(name, "not_permitted", title)
    except Problem as problem:
        # Written for people, and of theirs to know.
        kind = problem.type.removeprefix("/problems/")
        return Outcome(name, title, "failed", problem.detail, kind)
    except OutboundRefused as error:
        log.warning("tool.not_called", tool=name, error=str(error)[:200])
        return Outcome(name, title, "failed", TOLD["not_called"], "not_called")
    except OutboundFailed as error:
        log.warning("tool.no_answer", tool=name, error=str(error)[:200])
        effect = "no_answer" if wanted.stakes == "read" else "no_answer_outside"
        return Outcome(name, title, "failed", TOLD[effect], "no_answer")
    except Exception as error:  # noqa: BLE001 whatever a tool does, the answer goes on
        log.exception("tool.failed", tool=name, error=type(error).__name__)
        told = TOLD["failed" if wanted.takes_db else "failed_outside"]
        return Outcome(name, title, "failed", told, "failed")
    return Outcome(name, title, "done", text, taints=wanted.taints)


class NoLongerPermitted(Exception):
    """The person's role has changed since they asked."""


async def _run(use: Use, wanted: Tool, arguments: Arguments, note: Note | None) -> str:
    if not wanted.takes_db:
        async with _as(use) as db:
            await _still_permitted(db, use, wanted)
        text = bounded(await wanted.function(use, arguments))
        async with _as(use) as db:
            await _finish(db, use, wanted, text, note)
        return text
    async with _as(use) as db:
        await _still_permitted(db, use, wanted)
        text = bounded(await wanted.function(db, use, arguments))
        await _finish(db, use, wanted, text, note)
    return text


def _as(use: Use) -> AbstractAsyncContextManager[AsyncSession]:
    """A transaction in which row security knows the person."""
    return transaction(organization_id=use.person.organization_id, user_id=use.person.user_id)


async def _still_permitted(db: AsyncSession, use: Use, wanted: Tool) -> None:
    if wanted.stakes == "read":
        return  # Row security hides what they may not see any more.
    if wanted.permission not in await held_now(db, use.person.user_id):
        raise NoLongerPermitted


async def _finish(db: AsyncSession, use: Use, wanted: Tool, text: str, note: Note | None) -> None:
    if note is not None:
        await note(db, text)
    detail = {"tool": wanted.name, "stakes": wanted.stakes}
    await audit.record(db, "tool.used", person=use.person, detail=detail)


async def _record(use: Use, outcome: Outcome) -> None:
    detail = {"tool": outcome.name, "reason": outcome.reason}
    try:
        async with _as(use) as db:
            await audit.record(
                db,
                f"tool.{outcome.state}",
                person=use.person,
                target=outcome.approval_id,
                detail=detail,
            )
    except Exception as error:  # noqa: BLE001 nothing was done that the audit log must have
        log.exception("tool.not_recorded", error=type(error).__name__, **detail)


def bounded(result: Any) -> str:
    """A result as text, no longer than the model is to read."""
    if isinstance(result, BaseModel):
        result = result.model_dump(mode="json")
    text = result if isinstance(result, str) else orjson.dumps(result, default=str).decode()
    most = ToolsSettings.load().result_characters
    return text if len(text) <= most else f"{text[:most]}\n[cut: the result was longer]"


def problems(error: ValidationError) -> str:
    """What is wrong with which argument, without what was given."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [
        f"{'.'.join(str(part)[:40] for part in one['loc']) or 'all'}: {one['msg'][:200]}."
        for one in found[:MOST_ERRORS]
    ]
    return " ".join(told)
