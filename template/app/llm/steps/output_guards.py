"""Every output guard reads the answer before anyone sees it."""

from app.guardrails.chain import AnswerScreens
from app.guardrails.verdicts import AnswerContext, Refused
from app.llm.call import Call, Events, Proceed
from app.llm.errors import AnswerWithheld
from app.llm.port import Delta


async def around(call: Call, proceed: Proceed) -> Events:
    try:
        context = AnswerContext(call.system_prompt, call.canary)
        screens = AnswerScreens(context)
        async for event in proceed(call):
            if isinstance(event, Delta):
                shown = screens.feed(event.text)
            else:
                shown = screens.feed("", last=True)
            if shown:
                yield Delta(shown)
            if not isinstance(event, Delta):
                for called in event.calls:
                    # Words on their way into a tool are on their way out as well.
                    _screen(context, called.arguments)
                if screens.findings:
                    call.notes["output_guards"] = {
                        "masked": sorted({one.reason for _, one in screens.findings})
                    }
                yield event
    except Refused as refusal:
        opinion = refusal.opinion
        call.notes["output_guards"] = {
            "guard": opinion.guard,
            "version": opinion.version,
            "reason": opinion.verdict.reason,
        }
        raise AnswerWithheld(
            "This answer was stopped because it held something that must not be shown."
        ) from refusal


def _screen(context: AnswerContext, text: str) -> None:
    """Raises `Refused` for what may not be shown; what is only masked there, a tool may get."""
    AnswerScreens(context).feed(text, last=True)
