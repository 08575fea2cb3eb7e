"""An answer as events for a browser."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from app.core.sse import Event
from app.llm.draft import Draft
from app.llm.errors import AnswerWithheld
from app.llm.port import Delta, Done, ToolUse

TOLD = ("model", "provider", "stand_in", "fallback", "finish_reason", "degraded", "marks")


async def streamed(
    answer: AsyncGenerator[Delta | ToolUse | Done, None], draft: Draft
) -> AsyncGenerator[Event, None]:
    """The answer's events. The draft is kept once, however the answer ends.

    `delta` adds text, `replace` takes the place of all text before, `tool` tells of one that the
    model uses and comes again with what became of it, `sources` and `done` end an answer that was
    stored. When the reader leaves or the provider fails, what came so far is kept.
    """
    done: Done | None = None
    problem: BaseException | None = None
    try:
        async with aclosing(answer):
            async for event in answer:
                if isinstance(event, Delta):
                    draft.texts.append(event.text)
                    yield "delta", {"text": event.text}
                elif isinstance(event, ToolUse):
                    yield "tool", event.told
                else:
                    done = event
    except BaseException as error:
        problem = error
        if not isinstance(error, AnswerWithheld):
            raise
    finally:
        await draft.finish(problem, done)
    outcome = draft.outcome(problem, done)
    if outcome.state == "withheld":
        yield "replace", {"text": outcome.text}
    for name, data in ending(outcome.details, outcome.call_id):
        yield name, data


def ending(details: dict[str, Any], call_id: Any) -> list[Event]:
    """The last events of an answer, also of a stored one that is sent again."""
    told = {name: details.get(name) for name in TOLD}
    if review := details.get("review"):
        told["review"] = review
    sources: list[Event] = (
        [("sources", {"sources": found})] if (found := details.get("sources")) else []
    )
    return [*sources, ("done", {"call_id": call_id, **told})]
