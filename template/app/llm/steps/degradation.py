"""When nobody can answer it is said so, marked, with what to do about it."""

from app.core.errors import Problem
from app.llm.call import Begin, Begun, Call
from app.llm.errors import ModelMisconfigured, ModelUnavailable

TELL = "The question is kept. An administrator must look at the settings of the model provider."


async def opening(call: Call, begin: Begin) -> Begun:
    try:
        return await begin(call)
    except (ModelUnavailable, ModelMisconfigured) as problem:
        call.notes["degradation"] = {"level": "no_answer"}
        problem.extra |= {"degraded": "no_answer", "what_to_do": _advice(problem)}
        raise


def _advice(problem: Problem) -> str:
    if isinstance(problem, ModelMisconfigured):
        return TELL
    seconds = problem.headers["Retry-After"]
    return f"The question is kept. Ask it again in {seconds} seconds."
