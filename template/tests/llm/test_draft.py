"""The answer is stored and the call is settled together, or neither is."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from app.core import db
from app.core.direct import Direct, direct
from app.core.ids import uuid7
from app.llm import gateway, settling
from app.llm.draft import Draft, Outcome
from app.llm.port import Ask, Delta, Message
from app.llm.steps import budget
from app.llm.streaming import streamed
from tests.llm.caller import Caller
from tests.llm.wire_server import WORDS, Behaviour

# Any table of an organisation does to see what is stored.
STORE = (
    "INSERT INTO usage_limits (id, organization_id, user_id)"
    " VALUES (%(id)s, %(organization_id)s, %(user_id)s)"
)
STATE = "SELECT state FROM usage_records"
DIE = "SELECT pg_terminate_backend(pg_backend_pid())"


@dataclass
class Keeper:
    """Asks, and stores what became of the answer as often as `faults` lets it."""

    caller: Caller
    faults: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    before: list[tuple[int, list[str]]] = field(default_factory=list)
    """What was stored, and the states in the ledger, before each try."""

    async def keep(self, transaction: Direct, outcome: Outcome) -> None:
        self.before.append((await self.stored(), [one.state for one in await self.entries()]))
        self.outcomes.append(outcome)
        person = self.caller.person
        own = {"organization_id": person.organization_id, "user_id": person.user_id}
        transaction.write(STORE, own | {"id": uuid7()})
        match self.faults.pop(0) if self.faults else "":
            case "dies":
                await transaction.fetch(DIE, {})
            case "refused":
                transaction.write(STORE, own | {"id": uuid7()})
            case "raises":
                raise ZeroDivisionError

    def draft(self) -> Draft:
        return Draft(self.caller.person, self.keep)

    def answer(self, draft: Draft):
        ask = Ask([Message("user", "Who are you?")], feature="test")
        return gateway.answer(self.caller.person, ask, draft)

    async def shown(self) -> list[tuple[str, object]]:
        draft = self.draft()
        return [event async for event in streamed(self.answer(draft), draft)]

    async def stored(self) -> int:
        async with db.transaction(organization_id=self.caller.person.organization_id) as session:
            return int(await session.scalar(text("SELECT count(*) FROM usage_limits")))

    async def entries(self):
        return await self.caller.entries()


@pytest.fixture
def keeper(caller, monkeypatch) -> Keeper:
    monkeypatch.setattr(settling, "SECONDS_BETWEEN_TRIES", 0.01)
    return Keeper(caller)


async def test_the_answer_is_stored_and_the_call_settled_together(keeper):
    events = await keeper.shown()

    assert events[-1][0] == "done"
    assert keeper.before == [(0, ["reserved"])]
    assert (await keeper.stored(), (await keeper.caller.entry()).state) == (1, "settled")
    assert keeper.outcomes[0].state == "complete"
    assert keeper.outcomes[0].text == "".join(WORDS)


async def test_a_connection_that_dies_in_between_leaves_neither_and_both_come_later(keeper):
    keeper.faults = ["dies"]
    events = await keeper.shown()

    assert events[-1][0] == "done"
    assert keeper.before == [(0, ["reserved"]), (0, ["reserved"])]
    assert (await keeper.stored(), (await keeper.caller.entry()).state) == (1, "settled")
    assert await keeper.caller.reserved() == 0


@pytest.mark.parametrize("fault", ["refused", "raises"])
async def test_an_answer_that_cannot_be_stored_is_paid_for_and_tried_once_more(keeper, fault):
    keeper.faults = [fault]
    events = await keeper.shown()

    assert keeper.before == [(0, ["reserved"]), (0, ["settled"])]
    assert [one.state for one in keeper.outcomes] == ["complete", "complete"]
    assert events[-1][0] == "done"
    assert await keeper.stored() == 1
    assert await keeper.caller.reserved() == 0


async def test_a_reader_is_not_told_done_when_nothing_could_be_stored(keeper):
    keeper.faults = ["raises"] * 9
    with pytest.raises(ZeroDivisionError):
        await keeper.shown()

    assert await keeper.stored() == 0
    assert (await keeper.caller.entry()).state == "settled"


async def test_a_step_that_fails_does_not_leave_an_answer_that_looks_whole(keeper, monkeypatch):
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(budget, "after", broken)
    with pytest.raises(ZeroDivisionError):
        await keeper.shown()

    assert [one.state for one in keeper.outcomes] == ["interrupted"]


@pytest.mark.parametrize("shown", [1, 0])
async def test_an_answer_that_is_left_is_stored_with_its_call(keeper, wire_server, shown):
    wire_server.behaviour = Behaviour(words=WORDS * 100, gap=0.005, first_after=0.05)
    draft = keeper.draft()

    async def read() -> None:
        async with aclosing(streamed(keeper.answer(draft), draft)) as events:
            async for name, _ in events:
                assert name == "delta"
                if shown:
                    return

    task = asyncio.create_task(read())
    if not shown:
        async with asyncio.timeout(30):
            while not wire_server.requests:
                await asyncio.sleep(0.001)
        task.cancel()
    await asyncio.wait({task})

    entry = await keeper.caller.entry()
    assert [(one.state, one.call_id) for one in keeper.outcomes] == [("interrupted", entry.id)]
    assert keeper.before == [(0, ["reserved"])]
    assert (await keeper.stored(), entry.state, entry.outcome) == (1, "settled", "left")


async def test_an_answer_that_is_changed_on_its_way_is_stored_as_it_was_shown(keeper):
    draft = keeper.draft()

    async def signed():
        async for event in gateway.answer(
            keeper.caller.person, Ask([Message("user", "Who are you?")], feature="test")
        ):
            yield event if not isinstance(event, Delta) else Delta(event.text.upper())
        yield Delta("Yours.")

    events = [event async for event in streamed(signed(), draft)]
    assert keeper.outcomes[0].text == "".join(WORDS).upper() + "Yours."
    assert keeper.before == [(0, ["settled"])]
    assert events[-1][0] == "done"


async def test_nothing_is_kept_twice_by_who_leaves_while_it_is_kept(keeper):
    draft = keeper.draft()
    keeping = asyncio.Event()
    keep = keeper.keep

    async def slowly(transaction: Direct, outcome: Outcome) -> None:
        keeping.set()
        await asyncio.sleep(0.05)
        await keep(transaction, outcome)

    draft.keep = slowly

    async def read() -> None:
        async for _ in streamed(keeper.answer(draft), draft):
            pass

    task = asyncio.create_task(read())
    await keeping.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(keeper.outcomes) == 1
    assert await keeper.stored() == 1


async def test_who_left_finds_it_stored_in_a_transaction_of_its_own(keeper):
    """Without a call: whatever raised before one was made."""
    draft = keeper.draft()
    await draft.finish(ZeroDivisionError(), None)
    await draft.finish(None, None)

    assert keeper.outcomes == [Outcome("interrupted", "")]
    async with direct(organization_id=keeper.caller.person.organization_id) as transaction:
        assert await transaction.fetch(STATE, {}) == []
