"""What others may have written takes all tools from the model that do more than read.

No detector decides it. A document, the result of a tool, or an answer made with either may hold an
attack that nobody sees; so where one is in the context, there is nothing left to attack.
"""

from dataclasses import replace

from app.llm.call import Call


async def before(call: Call) -> None:
    call.tainted = call.ask.tainted or bool(call.ask.passages)
    if call.tainted and call.ask.tools:
        kept = [one for one in call.ask.tools if one.read_only]
        if not kept and any(one.calls for one in call.ask.messages):
            # Some wires take no calls of before without the tools; none may be called any more.
            call.ask = replace(call.ask, may_call=False)
        else:
            call.ask = replace(call.ask, tools=kept)
