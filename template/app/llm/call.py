"""One model call on its way through the steps."""

from asyncio import CancelledError
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from math import inf
from time import perf_counter
from typing import Any, Literal
from uuid import UUID

from app.access.person import Person
from app.core.clock import now
from app.core.errors import Problem
from app.core.ids import uuid7
from app.core.logging import log
from app.llm.draft import Draft
from app.llm.errors import AnswerWithheld
from app.llm.port import (
    Ask,
    Delta,
    Done,
    Finish,
    Provider,
    Usage,
    beside_tokens,
    estimated_input_tokens,
)
from app.usage.service import Reservation, Used

Events = AsyncGenerator[Delta | Finish, None]
Proceed = Callable[["Call"], Events]
Begun = tuple[Delta | Finish | None, Events]
"""The first event of an answer, and those that follow."""
Begin = Callable[["Call"], Awaitable[Begun]]
Outcome = Literal["answered", "refused", "withheld", "failed", "left"]


@dataclass(slots=True)
class Call:
    """What the steps know of a call and tell each other."""

    person: Person
    ask: Ask
    draft: Draft | None = None
    """Kept together with what is settled."""
    id: UUID = field(default_factory=uuid7)
    provider: Provider | None = None
    second: Provider | None = None
    """Who is asked when the first gives no answer."""
    smaller: Provider | None = None
    """Who is asked when neither answers: a smaller model, and it is told."""
    lost: list[Provider] = field(default_factory=list)
    """Those that took the question, gave no answer, and may bill it."""
    until: float = inf
    """When the whole answer must be there, by the loop's clock."""
    hidden: dict[int, str] = field(default_factory=dict)
    """What invisible characters said, by the place of the message."""
    masked: dict[str, str] = field(default_factory=dict)
    """Placeholders in the question, with what they stand for."""
    system_prompt: str = ""
    canary: str = ""
    tainted: bool = True
    """Until the step `taint` has found nothing that other people may have written."""
    reservation: Reservation | None = None
    reused: bool = False
    """An answer from before was given, and no model asked."""
    sent: bool = False
    """The request is on its way to the provider: from here on it may cost."""
    asked_at: float | None = None
    """When it was sent, as `started` is told."""
    received_bytes: int = 0
    finish: Finish | None = None
    used: Used | None = None
    said: list[str] = field(default_factory=list)
    """What the person has read so far."""
    for_people: str = ""
    """Why a person must look before the answer is shown: "guard" or "degraded"."""
    held: str = ""
    """The answer, while it waits for that."""
    outcome: Outcome = "failed"
    problem: BaseException | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    """For audit and log, by step: words and whole numbers, nothing of what was said."""
    beside: dict[str, object] = field(default_factory=dict)
    """What a step keeps for its own `after`, by its name."""
    started: float = field(default_factory=perf_counter)
    day: date = field(default_factory=lambda: now().date())
    """Of UTC, on which it began: it is paid by that day's prices."""
    first_text_at: float | None = None
    span: Any = None
    """Of its trace; None while traces are off."""
    opened: list[Events] = field(default_factory=list)
    leaving: list[Callable[[], None]] = field(default_factory=list)
    """Run once when the answer has ended, however it did."""

    @property
    def routed(self) -> Provider:
        if self.provider is None:
            raise RuntimeError("The step `routing` has not run.")
        return self.provider

    @property
    def input_tokens(self) -> int:
        """Tokens of the question, by its bytes."""
        asked, ask = estimated_input_tokens(self.ask.messages), self.ask
        return asked + beside_tokens(ask) if ask.tools or ask.shape else asked

    @property
    def goes_on(self) -> bool:
        """It asks for tools, and another call will answer."""
        return self.outcome == "answered" and bool(self.finish and self.finish.calls)

    def milliseconds(self, until: float | None = None) -> int:
        return round(((until or perf_counter()) - self.started) * 1000)

    def end_with(self, error: BaseException) -> None:
        """Note how a call ended that did not end with an answer."""
        self.problem = error
        if isinstance(error, GeneratorExit | CancelledError):
            self.outcome = "left"
        elif isinstance(error, AnswerWithheld):
            self.outcome = "withheld"
        elif isinstance(error, Problem) and not self.sent:
            self.outcome = "refused"

    def opens(self, events: Events) -> Events:
        """Remember a generator, so that it is closed with the call."""
        self.opened.append(events)
        return events

    async def close(self) -> None:
        """Close what is still open on the way to the provider, from the outside in."""
        for events in self.opened:
            try:
                await events.aclose()
            except Exception:  # noqa: BLE001 the others must be closed all the same
                log.exception("llm.step_not_closed", call_id=str(self.id))
        while self.leaving:
            self.leaving.pop()()

    def done(self) -> Done:
        """Raises RuntimeError when the answer has not ended well."""
        if self.finish is None or self.used is None:
            raise RuntimeError("The answer is not finished.")
        used = self.used
        return Done(
            call_id=self.id,
            provider=self.routed.name,
            model=self.finish.model,
            stand_in=self.routed.stand_in,
            finish_reason=self.finish.reason,
            usage=Usage(
                used.input_tokens, used.output_tokens, used.cached_input_tokens, used.estimated
            ),
            cost_microdollars=used.microdollars,
            price_known=used.price_known,
            sources=self.finish.sources,
            notes=self.notes,
            calls=self.finish.calls,
            tainted=self.tainted,
        )
