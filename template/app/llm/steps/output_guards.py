"""Every output guard reads the answer before anyone sees it."""

from collections.abc import Iterator

from pydantic_core import from_json

from app.guardrails import state
from app.guardrails.chain import AnswerScreens
from app.guardrails.stricter import Stricter
from app.guardrails.verdicts import AnswerContext, Opinion, Refused
from app.llm.call import Call, Events, Proceed
from app.llm.errors import AnswerInReview, AnswerWithheld
from app.llm.port import Delta
from app.llm.steps.restoring import restored_text

IN_REVIEW = "A person looks at this answer before you can read it. You find it here when they have."


async def around(call: Call, proceed: Proceed) -> Events:
    read: list[str] = []
    try:
        own = await state.of(call.person.organization_id)
        context = AnswerContext(
            call.system_prompt, call.canary, own.words, own.phrases, own.words_action
        )
        screens = AnswerScreens(context, own)
        async for event in proceed(call):
            if isinstance(event, Delta):
                shown = screens.feed(event.text)
            else:
                shown = screens.feed("", last=True)
            if screens.review and not call.for_people and call.ask.read_by_people:
                call.for_people = AnswerInReview.reason
                call.notes["output_guards"] = {"review": _told(screens.review)}
            if shown:
                read.append(shown)
                if not call.for_people:
                    yield Delta(shown)
            if not isinstance(event, Delta):
                for called in event.calls:
                    # Words on their way into a tool are on their way out as well.
                    for text in _texts(called.arguments):
                        _screen(context, text, own)
                if screens.findings:
                    call.notes["output_guards"] = call.notes.get("output_guards", {}) | {
                        "masked": sorted({one.reason for _, one in screens.findings})
                    }
                if call.for_people:
                    call.finish = event  # It has been billed, and this is the end of it.
                    call.held = restored_text(call, "".join(read))
                    raise AnswerInReview(IN_REVIEW)
                yield event
    except Refused as refusal:
        call.for_people = ""  # What is blocked is not for people either.
        call.notes["output_guards"] = _told(refusal.opinion)
        raise AnswerWithheld(
            "This answer was stopped because it held something that must not be shown."
        ) from refusal


def _told(opinion: Opinion) -> dict[str, str | int]:
    return {
        "guard": opinion.guard,
        "version": opinion.version,
        "reason": opinion.verdict.reason,
    }


def _texts(arguments: str) -> Iterator[str]:
    """As they are written, and as the tool will read them: each text without its escapes."""
    yield arguments
    try:
        # By the parser that reads them for the tool: there is nothing that only one of them takes.
        waiting = [from_json(arguments)]
    except ValueError:
        return  # No tool gets these.
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one


def _screen(context: AnswerContext, text: str, own: Stricter) -> None:
    """Raises `Refused` for what may not be shown; what is only masked there, a tool may get."""
    AnswerScreens(context, own).feed(text, last=True)
