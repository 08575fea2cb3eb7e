"""Notes which version of a registered prompt the call is made with."""

from app.llm.call import Call


async def before(call: Call) -> None:
    if used := call.ask.prompt:
        call.notes["prompt"] = {"name": used.name, "version": used.version}
