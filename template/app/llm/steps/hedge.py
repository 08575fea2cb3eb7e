"""A model that says nothing for long is asked a second time, and the first word wins.

Off unless LLM_HEDGE_SECONDS is set. Whoever comes second is ended; what it may bill stands in an
entry of its own, set aside before it was asked. Tools are run by the caller when the answer has
ended, and only those that the winner asks for, so that nothing is done twice.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter

from app.core.direct import Direct
from app.core.errors import Problem, TooMany
from app.core.ids import uuid7
from app.core.logging import log
from app.llm import circuit
from app.llm.call import Begin, Begun, Call, Events
from app.llm.port import Provider
from app.llm.settings import LLMSettings
from app.llm.steps import budget, queue
from app.llm.steps.fallback import ELSEWHERE
from app.usage import service
from app.usage.service import BudgetsUnreachable, Reservation, Used

# A second request costs a hundred, a call earns LLM_HEDGE_PERCENT. Five at once, when a model that
# was quick becomes slow for all.
COST = 100
MOST = 5 * COST

_left: defaultdict[circuit.Circuit, int] = defaultdict(int)


@dataclass
class Hedge:
    """The second request of a call."""

    reservation: Reservation
    lane: Call | None = None
    """Which of the two gave no answer; None before the second was sent."""


async def opening(call: Call, begin: Begin) -> Begun:
    other = _other(call)
    if other is None:
        return await begin(call)
    _earn(circuit.of(other))
    race = _Race(call, begin)
    try:
        await race.patience()
        if not race.first.done() and await _may_ask(call, other) and not race.first.done():
            race.ask(other)
        return await race.won()
    finally:
        await race.over()


async def after(call: Call, db: Direct) -> None:
    if "hedge" in call.beside:
        hedge = _hedge(call)
        lane = hedge.lane
        used = budget.used(lane) if lane else Used(call.routed.model)
        provider = lane.routed.name if lane else hedge.reservation.provider
        await service.settle(db, replace(hedge.reservation, provider=provider), used, "hedge")


class _Race:
    """One call's first request, and the second one beside it."""

    def __init__(self, call: Call, begin: Begin) -> None:
        self._call, self._begin = call, begin
        self._opened, self._leaving = len(call.opened), len(call.leaving)
        self.first = asyncio.create_task(_of(begin, call))
        self._second: asyncio.Task[Begun] | None = None
        self._twin: Call | None = None
        self._is_twins = False
        """The second spoke first, and the call is what it made of it."""

    async def patience(self) -> None:
        """Until the first has said something, or nothing for too long since it was asked."""
        left = seconds = LLMSettings.load().hedge_seconds
        while left > 0 and not self.first.done():
            await asyncio.wait({self.first}, timeout=left)
            asked_at = self._call.asked_at if self._call.sent else None
            left = seconds if asked_at is None else asked_at + seconds - perf_counter()

    def ask(self, other: Provider) -> None:
        call = self._call
        twin = replace(call, provider=other, second=None, smaller=None, sent=False, asked_at=None)
        twin.notes, twin.opened, twin.leaving = {}, [], []
        self._twin = twin
        self._second = asyncio.create_task(_of(self._begin, twin))
        _hedge(call).lane = twin
        call.notes["hedge"] = {"asked": other.name, "answered": "none"}

    async def won(self) -> Begun:
        """Who spoke first. The first one's problem when neither did."""
        running = {one for one in (self.first, self._second) if one}
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in (self.first, self._second):
                if task in done and task.exception() is None:
                    return await self._goes_on(task)
            refused = self.first in done and not isinstance(self.first.exception(), ELSEWHERE)
            if refused:
                break  # For what it says: the other one has nothing to say to that.
        return self.first.result()

    async def _goes_on(self, task: asyncio.Task[Begun]) -> Begun:
        call, twin = self._call, self._twin
        begun = task.result()
        if twin is None:
            return begun
        if task is self.first:
            call.notes["hedge"]["answered"] = "first"
            return begun
        await self._give_up_first(twin)
        call.notes["hedge"]["answered"] = "second"
        return begun[0], call.opens(_going_on(call, twin, begun[1]))

    async def _give_up_first(self, twin: Call) -> None:
        """The call is from here on what the second request made of it."""
        call = self._call
        self.first.cancel()
        await asyncio.gather(self.first, return_exceptions=True)
        lost = replace(call, opened=call.opened[self._opened :])
        lost.leaving, lost.problem = call.leaving[self._leaving :], _problem(self.first)
        del call.opened[self._opened :], call.leaving[self._leaving :]
        await lost.close()
        self._is_twins, _hedge(call).lane = True, lost
        if twin.routed is not lost.routed:
            told = {"instead_of": lost.routed.name, "because": "no-first-word"}
            call.notes["fallback"] = told
        call.provider, call.sent = twin.provider, twin.sent
        call.asked_at, call.first_text_at = twin.asked_at, twin.first_text_at
        call.received_bytes = twin.received_bytes
        call.opened += twin.opened
        call.leaving.append(lambda: _leave(call, twin))

    async def over(self) -> None:
        """End what still waits for a first word, however the race ended."""
        tasks = [one for one in (self.first, self._second) if one]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        twin = self._twin
        if twin and self._second and not self._is_twins:
            twin.problem = _problem(self._second)
            await twin.close()


def _other(call: Call) -> Provider | None:
    """Who is asked beside the first, in a call that may be; only while somebody waits."""
    settings, ask = LLMSettings.load(), call.ask
    if not settings.hedge_seconds or "hedge" in call.beside or call.reservation is None:
        return None
    # Nobody knows what further fields make a provider do.
    if not ask.read_by_people or ask.model or ask.options:
        return None
    return (call.second if settings.hedge_with == "fallback" else None) or call.routed


async def _may_ask(call: Call, other: Provider) -> bool:
    """Whether it is well, has room, was not asked too often, and can be paid."""
    found = circuit.of(other)
    if found.times or not queue.has_room(other) or _left[found] < COST:
        return False
    _left[found] -= COST
    tokens, microdollars, known = budget.most(call, (other,))
    assert call.reservation
    reservation = replace(
        call.reservation,
        call_id=uuid7(),
        provider=other.name,
        tokens=tokens,
        microdollars=microdollars,
    )
    call.beside["hedge"] = Hedge(reservation)  # First: who is cancelled does not learn of it.
    try:
        await service.reserve(
            reservation,
            model=other.model,
            price_known=known,
            seconds=LLMSettings.load().deadline_seconds + budget.SETTLING_SECONDS,
            is_extra=True,
        )
    except (TooMany, BudgetsUnreachable) as problem:
        log.info("llm.no_hedge", reason=problem.type, call_id=str(call.id))
        return False
    return True


def _hedge(call: Call) -> Hedge:
    found = call.beside["hedge"]
    assert isinstance(found, Hedge)
    return found


def _earn(other: circuit.Circuit) -> None:
    _left[other] = min(MOST, _left[other] + LLMSettings.load().hedge_percent)


async def _of(begin: Begin, call: Call) -> Begun:
    return await begin(call)


async def _going_on(call: Call, twin: Call, rest: Events) -> Events:
    async for event in rest:
        call.received_bytes = twin.received_bytes
        yield event


def _problem(task: asyncio.Task[Begun]) -> Problem | None:
    with suppress(asyncio.CancelledError, asyncio.InvalidStateError):
        error = task.exception()
        return error if isinstance(error, Problem) else None
    return None


def _leave(call: Call, twin: Call) -> None:
    twin.problem = call.problem
    while twin.leaving:
        twin.leaving.pop()()
