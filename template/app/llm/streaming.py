"""An answer as events for a browser, and what became of it for those who store it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from app.core.errors import Problem
from app.core.sse import Event
from app.llm.errors import AnswerWithheld
from app.llm.port import Delta, Done

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
    done: Done | None = None

    @property
    def details(self) -> dict[str, Any]:
        """What to store beside the text: the model, whether it was the stand-in, the sources."""
        if self.done is None:
            return {}
        return {
            "model": self.done.model,
            "stand_in": self.done.stand_in,
            "finish_reason": self.done.finish_reason,
            "sources": [
                {"title": one.title, "path": one.path, "quote": one.quote}
                for one in self.done.sources
            ],
        }


async def streamed(
    answer: AsyncGenerator[Delta | Done, None], keep: Callable[[Outcome], Awaitable[None]]
) -> AsyncGenerator[Event, None]:
    """The answer's events. `keep` is awaited once, however the answer ends.

    `delta` adds text, `replace` takes the place of all text before, `sources` and `done` end an
    answer that was stored. When the reader leaves or the provider fails, what came so far is kept.
    """
    texts: list[str] = []
    state: State = "interrupted"
    done: Done | None = None
    try:
        try:
            async with aclosing(answer):
                async for event in answer:
                    if isinstance(event, Delta):
                        texts.append(event.text)
                        yield "delta", {"text": event.text}
                    else:
                        done = event
            if done is not None:
                state = "complete"
        except AnswerWithheld as refusal:
            state, texts = "withheld", [refusal.detail]
            yield "replace", {"text": refusal.detail}
        except Problem as problem:
            if not texts and problem.status in ABOUT_THE_QUESTION:
                state = "refused"
            raise
    finally:
        outcome = Outcome(state, "".join(texts), done)
        await keep(outcome)
    for name, data in ending(outcome.details, done and done.call_id):
        yield name, data


def ending(details: dict[str, Any], call_id: Any) -> list[Event]:
    """The last events of an answer, also of a stored one that is sent again."""
    told = {name: details.get(name) for name in ("model", "stand_in", "finish_reason")}
    sources: list[Event] = (
        [("sources", {"sources": found})] if (found := details.get("sources")) else []
    )
    return [*sources, ("done", {"call_id": call_id, **told})]
