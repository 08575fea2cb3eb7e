"""What must be true after every turn, whatever has happened to it."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.core import db
from app.llm import settling
from app.modules import has
from app.prompts.files import files
from app.usage import installation
from tests.asking import Event, text_of
from tests.llm.caller import KEY

ORDERS = (
    next(one.text for one in files() if one.name == "assistant.system").partition("{{")[0]
    if has("assistant")
    else ""
)
"""A part of the system prompt: an answer with it is withheld."""
SECRET = KEY
"""Is masked wherever an answer holds it."""
BLOCKED = SECRET[8:], *[line for line in ORDERS.splitlines() if len(line) > 60]
# What the person did wrong is neither kept nor a loss.
ABOUT_THE_QUESTION = {413, 422}

KEPT = """
    SELECT conversation_id, role, text, state, metadata FROM messages
    WHERE conversation_id = ANY(:ids) ORDER BY turn_id, role DESC
"""
BLOCKS = """
    SELECT id, answering_until IS NOT NULL AS blocks FROM conversations WHERE id = ANY(:ids)
"""
COUNTED = """
    SELECT count(*) FILTER (WHERE state = 'settled') AS calls,
           coalesce(sum(input_tokens + output_tokens), 0) AS tokens,
           coalesce(sum(microdollars), 0) AS microdollars,
           count(*) FILTER (WHERE state = 'reserved') AS open,
           count(*) FILTER (WHERE outcome = 'hedge') AS hedges
    FROM usage_records
"""
SUMS = """
    SELECT user_id IS NULL AS everyone, period, sum(calls) AS calls, sum(tokens) AS tokens,
           sum(microdollars) AS microdollars,
           sum(abs(reserved_calls) + abs(reserved_tokens) + abs(reserved_microdollars)) AS held
    FROM usage_counters GROUP BY 1, 2
"""

HELD = """
    SELECT coalesce(sum(reserved_microdollars), 0) FROM usage_counters
    WHERE user_id IS NULL AND period = 'month' AND starts_at = date_trunc('month', now(), 'UTC')
"""


@dataclass
class Told:
    """What somebody got to see of an answer: events, or a problem instead of them."""

    events: list[Event] = field(default_factory=list)
    problem: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        return text_of(self.events)

    @property
    def done(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._last("done")
        return found

    @property
    def error(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.problem or self._last("error")
        return found

    def _last(self, name: str) -> Any:
        return self.events[-1][1] if self.events and self.events[-1][0] == name else None


@dataclass
class Kept:
    """What the database holds of a conversation with one turn, or of the last of several."""

    rows: list[Any] = field(default_factory=list)
    blocks: bool = False

    def last(self, role: str) -> Any:
        found = [row for row in self.rows if row.role == role]
        if role == "assistant" and self.rows[-1:] and self.rows[-1].role != role:
            return None  # The last question has none.
        return found[-1] if found else None


async def what_is_kept(whose: dict[str, UUID], ids: list[Any]) -> dict[Any, Kept]:
    """By the id of the conversation."""
    await settling.drain()
    kept = {one: Kept() for one in ids}
    async with db.transaction(**whose) as session:
        for row in await session.execute(text(BLOCKS), {"ids": ids}):
            kept[row.id].blocks = row.blocks
        for row in await session.execute(text(KEPT), {"ids": ids}):
            kept[row.conversation_id].rows.append(row)
    return kept


def the_turn_is_whole(told: Told, kept: Kept, *, first: str = "compatible") -> None:
    """The last turn of a conversation whose reader stayed until its end."""
    rows, question, answer = kept.rows, kept.last("user"), kept.last("assistant")

    assert bool(told.done) != bool(told.error), f"neither an end nor an error was told: {told}"
    assert not kept.blocks, "nobody answers, and the conversation waits for it"
    answers = [row.text for row in rows if row.role == "assistant"]
    for one in BLOCKED:
        assert one not in f"{told.text} {told} {answers}", "what a guard stops was shown or kept"
    if told.done and not told.text:
        assert answer is None, "an answer that nobody has seen"
    elif told.done:
        assert answer is not None, "the answer that was shown is lost"
        assert answer.text == told.text
        assert answer.state == ("withheld" if _replaced(told) else "complete")
        if told.done["provider"] not in {first, None}:
            assert told.done["fallback"] is True, "another model answered, and nobody is told"
            assert answer.metadata["fallback"] is True
    elif told.text:
        assert answer is not None, "what was shown is lost"
        assert (answer.text, answer.state) == (told.text, "interrupted")
    elif told.error and told.error["status"] not in ABOUT_THE_QUESTION:
        assert answer is None or answer.metadata.get("tools"), "an answer that nobody has seen"
        if question is None:
            assert told.error["status"] >= 429, "a question is lost that was not refused"


def _replaced(told: Told) -> bool:
    return any(name == "replace" for name, _ in told.events)


async def all_together() -> tuple[int, int]:
    """What all organisations spent, also those that are gone, and what is reserved for them."""
    async with db.transaction(elevated=True) as session:
        found = await installation.read(session)
    return found.spent, found.held


async def the_books_balance(organization_id: UUID) -> Any:
    """What was reserved is settled or released, and the sums say what the ledger says."""
    await settling.drain()
    async with db.transaction(organization_id=organization_id) as session:
        counted = (await session.execute(text(COUNTED))).one()
        sums = (await session.execute(text(SUMS))).all()
    async with db.transaction(elevated=True) as session:
        held = await session.scalar(text(HELD))
    assert counted.open == 0, f"{counted.open} calls are still reserved"
    assert (await all_together())[1] == held, "the sum of all holds what nobody has reserved"
    for one in sums:
        assert one.held == 0, f"{one.held} stay reserved for {one.period}"
        assert (one.calls, one.tokens, one.microdollars) == tuple(counted)[:3]
    return counted
