"""A model's server that speaks OpenAI's wire: 50 tokens, 2 ms apart, on an absolute schedule."""

import asyncio
import os
from time import monotonic

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

TOKENS, GAP = int(os.environ.get("TOKENS", "50")), 0.002


def line(value: dict[str, object]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


async def complete(request: Request) -> StreamingResponse:
    await request.body()
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    async def pieces():
        start = monotonic()
        for number in range(TOKENS):
            if (wait := start + number * GAP - monotonic()) > 0:
                await asyncio.sleep(wait)
            # "text" lets one client recognise the first token here and behind the app.
            delta = {"text": f"word{number} ", "content": f"word{number} "}
            yield line(frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        yield line(frame | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 20, "completion_tokens": TOKENS, "total_tokens": 20 + TOKENS}
        yield line(frame | {"choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
