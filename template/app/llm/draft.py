"""An answer while it is shown, and how it is kept when it has ended."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from app.access.person import Person
from app.core.direct import Direct, direct
from app.core.errors import Problem
from app.llm.errors import AnswerInReview, AnswerWithheld
from app.llm.marks import degraded, marks
from app.llm.port import Done

State = Literal["complete", "interrupted", "withheld", "refused"]
ABOUT_THE_QUESTION = {413, 422}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer.

    `complete`; `interrupted`, perhaps before its first word; `withheld` by a guard, with a sentence
    instead; or `refused`, when the question itself could not be accepted.
    """

    state: State
    text: str
    call_id: UUID | None = None
    """The model call, also of an answer that broke off; None when no model was asked."""
    done: Done | None = None
    uses: tuple[dict[str, Any], ...] = ()
    """Tools that the model asked for, as `streaming` tells them."""
    marks: tuple[str, ...] = ()
    """What its caller tells of it, beside what the call does."""
    tainted: bool = False
    """It was made with words that neither the person nor the app has written."""
    for_people: str = ""
    """Why a person looks before it is shown, when one does."""

    @property
    def details(self) -> dict[str, Any]:
        """What to store beside the text: the model, whether it was the stand-in, sources, tools."""
        known: dict[str, Any] = {"tools": list(self.uses)} if self.uses else {}
        if self.done is None:
            waits = {"state": "waiting", "reason": self.for_people}
            return known | ({"review": waits} if self.for_people else {})
        for step in ("confidence", "review"):
            if step in self.done.notes:
                known[step] = self.done.notes[step]
        return known | {
            "model": self.done.model,
            "stand_in": self.done.stand_in,
            "finish_reason": self.done.finish_reason,
            "provider": self.done.provider,
            "fallback": "fallback" in self.done.notes,
            "prompt": self.done.notes.get("prompt"),
            "marks": [*self.marks, *marks(self.done.notes)],
            "degraded": degraded(self.done.notes),
            "sources": [
                {"title": one.title, "path": one.path, "quote": one.quote}
                | ({"url": one.url} if one.url else {})
                for one in self.done.sources
            ],
        }


Keep = Callable[[Direct, Outcome], Awaitable[None]]


@dataclass(slots=True)
class Draft:
    """What is shown so far. `keep` stores what became of it, in one transaction, once.

    A call that is given the draft settles its tokens and keeps the answer together. Otherwise, or
    when that failed, whoever shows the answer keeps it.
    """

    person: Person
    keep: Keep
    texts: list[str] = field(default_factory=list)
    call_id: UUID | None = None
    uses: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the id of the call: a tool that was used is told, also when the answer broke off."""
    tainted: bool = False
    marks: list[str] = field(default_factory=list)
    """Sentences to be shown below the answer."""
    is_taken: bool = False
    """The gateway keeps it, or has."""

    def outcome(self, problem: BaseException | None, done: Done | None) -> Outcome:
        outcome = self._became("".join(self.texts), problem, done)
        uses, marked = tuple(self.uses.values()), tuple(self.marks)
        return replace(outcome, uses=uses, marks=marked, tainted=self.tainted)

    def _became(self, text: str, problem: BaseException | None, done: Done | None) -> Outcome:
        if isinstance(problem, AnswerWithheld):
            reason = problem.reason if isinstance(problem, AnswerInReview) else ""
            return Outcome("withheld", problem.detail, self.call_id, for_people=reason)
        if problem is None and done is not None:
            return Outcome("complete", text, done.call_id, done)
        is_refused = isinstance(problem, Problem) and problem.status in ABOUT_THE_QUESTION
        if is_refused and not text and not self.uses:
            return Outcome("refused", "", self.call_id)
        return Outcome("interrupted", text, self.call_id)

    async def finish(self, problem: BaseException | None, done: Done | None) -> None:
        """Keep it in a transaction of its own, unless the call does."""
        if self.is_taken:
            return
        self.is_taken = True
        whose = {
            "organization_id": self.person.organization_id,
            "user_id": self.person.user_id,
        }
        async with direct(**whose) as db:
            await self.keep(db, self.outcome(problem, done))
