"""An answer for which the model may use tools: it asks for them, gets results, and goes on.

Each round is a call of its own through the gateway: reserved, guarded, settled and written down. No
transaction is open in between, and tools run in their own.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from uuid import UUID

from app.access.person import Person
from app.llm import gateway
from app.llm.draft import Draft
from app.llm.errors import ModelTooSlow, NoLongerHere, ToolsWithoutEnd
from app.llm.port import Ask, Delta, Done, Message, Offer, ToolCall, ToolUse, beside_tokens
from app.llm.settings import FallbackSettings, LLMSettings
from app.tools import rights, running
from app.tools.registry import Tool, Use, tools
from app.tools.running import Outcome
from app.tools.settings import ToolsSettings

# What every provider lets stand in what was said before.
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_FAILURES = 3
# Their models may know no tools, and then refuse every question that offers some.
UNSURE = {"ollama", "vllm", "compatible"}
Events = AsyncGenerator[Delta | ToolUse | Done, None]


def answer(
    person: Person, ask: Ask, draft: Draft | None = None, *, conversation_id: UUID | None = None
) -> Events:
    """As `gateway.answer`, with the tools that this person may use."""
    found = running.offered(person) if are_offered() else []
    if not found:
        return gateway.answer(person, ask, draft)
    use = Use(person, conversation_id, tainted=ask.tainted)
    return _rounds(_Loop(use, draft), replace(ask, tools=[_offer(one) for one in found]))


def tokens_of_tools(person: Person) -> int:
    """What the tools take of the window that this person may use."""
    found = running.offered(person) if are_offered() else []
    return beside_tokens(Ask([], "", tools=[_offer(one) for one in found])) if found else 0


def are_offered() -> bool:
    """By the setting, or where all models of the providers know tools."""
    said = ToolsSettings.load().offered
    if said is not None:
        return said
    return not UNSURE & {LLMSettings.load().chosen, FallbackSettings.load().provider}


def _offer(one: Tool) -> Offer:
    return Offer(one.name, one.description, one.schema, one.stakes == "read")


@dataclass
class _Loop:
    """What there is of an answer over its rounds."""

    use: Use
    draft: Draft | None
    until: float = field(
        default_factory=lambda: (
            asyncio.get_running_loop().time() + LLMSettings.load().deadline_seconds
        )
    )
    made: int = 0
    dear: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    """How often a tool was asked for with arguments that it does not take."""
    failed: Counter[str] = field(default_factory=Counter)
    """In how many rounds a tool failed: the model may correct itself, but not without end."""

    def numbered(self, calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
        """With ids of ours: each provider has its own rules, and another one may go on."""
        first, self.made = self.made, self.made + len(calls)
        return tuple(
            replace(
                one,
                id=f"call{first + at:05}",
                name=one.name if NAME.fullmatch(one.name) else "unknown",
            )
            for at, one in enumerate(calls)
        )

    def tell(self, use: ToolUse) -> ToolUse:
        if self.draft is not None:
            self.draft.uses[use.id] = use.told
        return use

    def closed(self, call: ToolCall, number: int) -> str:
        """Why this use is over before it begins; empty when it is not."""
        settings, wanted = ToolsSettings.load(), tools().get(call.name)
        if number >= settings.calls:
            return "calls_spent"
        if self.wrong[call.name] > 1:
            return "arguments"
        if self.failed[call.name] >= MOST_FAILURES:
            return "failed_often"
        if wanted is not None and wanted.cost == "dear":
            self.dear += 1
            return "calls_spent" if self.dear > settings.dear_calls else ""
        return ""


async def _rounds(loop: _Loop, ask: Ask) -> Events:
    spoke = False
    for left in reversed(range(ToolsSettings.load().rounds + 1)):
        if loop.made:
            await _look_again(loop)  # Perhaps the tools took long.
        done, pause, said = None, spoke, ""
        asked = replace(ask, may_call=left > 0)
        async with aclosing(
            gateway.answer(loop.use.person, asked, loop.draft, until=loop.until)
        ) as events:
            async for event in events:
                if isinstance(event, Done):
                    done = event
                    continue
                yield Delta(f"\n\n{event.text}") if pause else event
                spoke, pause, said = True, False, said + event.text
        if done is None or not done.calls:
            if done is not None:
                yield done
            return
        if not left:
            break
        calls = loop.numbered(done.calls)
        for one in calls:
            wanted = tools().get(one.name)
            title = wanted.title if wanted else "A tool"
            yield loop.tell(ToolUse(one.id, wanted.name if wanted else "", title, "running"))
        loop.use = replace(loop.use, tainted=done.tainted)
        await _look_again(loop, calls)
        outcomes = await _run(loop, calls)
        for one, outcome in zip(calls, outcomes, strict=True):
            yield loop.tell(_told(one, outcome))
        if loop.draft is not None and any(one.taints for one in outcomes):
            loop.draft.tainted = True
        ask = _with_results(ask, said, calls, outcomes)
    raise ToolsWithoutEnd("The model kept asking for tools and came to no answer.")


async def _look_again(
    loop: _Loop, calls: Sequence[ToolCall] = (), found: Mapping[str, Outcome] = MappingProxyType({})
) -> None:
    """Their rights as of now, and whether what they came by still opens: that was minutes ago.

    Raises `NoLongerHere`; then what was `found` by these calls is told, and of the others that they
    were not permitted.
    """
    person = await rights.still(loop.use.person)
    if person is not None:
        loop.use = replace(loop.use, person=person)
        return
    _tell(loop, calls, found, "not_permitted")
    raise NoLongerHere("Your access here has ended, so the answer did, too.")


async def _run(loop: _Loop, calls: Sequence[ToolCall]) -> list[Outcome]:
    """Those that read run together, then the others one after the other, within the deadline."""
    first = loop.made - len(calls)
    places = asyncio.Semaphore(ToolsSettings.load().at_once)
    found: dict[str, Outcome] = {}

    async def one(call: ToolCall, closed: str) -> None:
        if closed:
            wanted = tools().get(call.name)
            found[call.id] = running.refused(call.name, closed, wanted.title if wanted else "")
            return
        async with places:
            found[call.id] = await running.run(loop.use, call.name, call.arguments)

    planned = [(call, loop.closed(call, first + at)) for at, call in enumerate(calls)]
    reading = [(call, why) for call, why in planned if _reads(call)]
    try:
        async with asyncio.timeout_at(loop.until):
            async with asyncio.TaskGroup() as group:
                for call, why in reading:
                    group.create_task(one(call, why))
            for call, why in planned:
                if not _reads(call):
                    if found:
                        await _look_again(loop, calls, found)
                    await one(call, why)
    except TimeoutError as error:
        _tell(loop, calls, found, "too_slow")
        raise ModelTooSlow("The answer with its tools was not finished in time.") from error
    for call in calls:
        loop.wrong[call.name] += found[call.id].state == "invalid"
    loop.failed.update({one.name for one in calls if found[one.id].state == "failed"})
    return [found[call.id] for call in calls]


def _tell(
    loop: _Loop, calls: Sequence[ToolCall], found: Mapping[str, Outcome], otherwise: str
) -> None:
    for call in calls:
        loop.tell(_told(call, found.get(call.id) or running.refused(call.name, otherwise)))


def _reads(call: ToolCall) -> bool:
    wanted = tools().get(call.name)
    return wanted is None or wanted.stakes == "read"


def _told(call: ToolCall, outcome: Outcome) -> ToolUse:
    known = call.name if call.name in tools() else ""
    return ToolUse(
        call.id, known, outcome.title, outcome.state, outcome.reason, outcome.approval_id
    )


def _with_results(
    ask: Ask, said: str, calls: Sequence[ToolCall], outcomes: Sequence[Outcome]
) -> Ask:
    results = [
        Message("tool", outcome.told, result_of=call, failed=outcome.not_done)
        for call, outcome in zip(calls, outcomes, strict=True)
    ]
    tainted = ask.tainted or any(one.taints for one in outcomes)
    asked = Message("assistant", said, calls=tuple(calls))
    return replace(ask, messages=[*ask.messages, asked, *results], tainted=tainted)
