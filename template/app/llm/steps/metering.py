"""Counts what the provider sends, and ends an answer that does not end by itself."""

from dataclasses import replace
from time import perf_counter

from app.llm.call import Call, Events, Proceed
from app.llm.port import Delta, Finish, Unshown

# Far above what the tokens of any language take, so that only broken providers get here.
MOST_BYTES_PER_TOKEN = 32


async def around(call: Call, proceed: Proceed) -> Events:
    most = (call.ask.max_output_tokens or 0) * MOST_BYTES_PER_TOKEN
    call.sent, call.asked_at = True, perf_counter()
    async for event in proceed(call):
        if isinstance(event, Delta):
            if call.first_text_at is None:
                call.first_text_at = perf_counter()
            text = event.text
            call.received_bytes += len(text) if text.isascii() else len(text.encode())
            if not text and isinstance(event, Unshown):
                call.received_bytes += event.size
            if call.received_bytes > most:
                # Some send all at once: what fits is an answer, too.
                room = most - call.received_bytes + len(text.encode())
                if room > 0 and (fits := text.encode()[:room].decode(errors="ignore")):
                    yield Delta(fits)
                yield Finish("length", call.routed.model)
                return
        elif event.calls and not call.ask.tools:
            # Nobody has offered any.
            event = replace(event, calls=(), unread=event.unread | {"tool_calls"})
        yield event
