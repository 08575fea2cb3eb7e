"""When no model can answer, a person does; or it is said so, marked, with what to do about it."""

from app.core.errors import Problem
from app.core.logging import log
from app.llm.call import Begin, Begun, Call
from app.llm.errors import (
    ModelBusy,
    ModelMisconfigured,
    ModelUnavailable,
    ModelUnreachable,
    PersonAnswers,
    RequestRefused,
)
from app.llm.settings import LLMSettings
from app.users import operators

TELL = "The question is kept. An administrator must look at the settings of the model provider."
UNREACHABLE = "The model cannot be reached at the moment."
UNSET = "The model cannot answer at the moment; whoever runs this app has to look at its settings."
PEOPLE = "No model can answer at the moment. A person will read your question and answer it here."


async def opening(call: Call, begin: Begin) -> Begun:
    try:
        return await begin(call)
    except (ModelUnavailable, ModelMisconfigured) as problem:
        if _people_answer(call, problem):
            call.notes["degradation"] = {"level": "human"}
            call.for_people = PersonAnswers.reason
            raise PersonAnswers(PEOPLE, degraded="human") from problem
        call.notes["degradation"] = {"level": "no_answer"}
        problem.extra |= {"degraded": "no_answer", "what_to_do": _advice(problem)}
        _speak_plainly(call, problem)
        raise
    except RequestRefused as problem:
        _speak_plainly(call, problem)
        raise


def _speak_plainly(call: Call, problem: Problem) -> None:
    """Which setting is wrong is told to those who can change it, and to the log."""
    who = call.person
    if not isinstance(problem, (ModelUnreachable, ModelMisconfigured, RequestRefused)):
        return
    log.warning("llm.look_at_settings", problem=problem.type, detail=problem.detail)
    if not (operators.is_operator(who) and "flags.set" in who.permissions):
        problem.detail = UNREACHABLE if isinstance(problem, ModelUnreachable) else UNSET


def _people_answer(call: Call, problem: Problem) -> bool:
    """Only where a person asked in a conversation; and not when a moment later a model answers."""
    return (
        LLMSettings.load().people_answer
        and call.draft is not None
        and call.person.account is not None
        and not isinstance(problem, ModelBusy)
    )


def _advice(problem: Problem) -> str:
    if isinstance(problem, ModelMisconfigured):
        return TELL
    seconds = problem.headers["Retry-After"]
    return f"The question is kept. Ask it again in {seconds} seconds."
