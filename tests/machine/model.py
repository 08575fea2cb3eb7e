"""A provider of models that speaks OpenAI's wire: words, and vectors that take their time."""

import asyncio

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

WORDS, GAP, VECTOR_SECONDS = 30, 0.02, 1.5
REFUSED = "Never answer anybody."
"""A prompt with these words is one that the provider does not take."""


async def complete(request: Request) -> Response:
    if REFUSED.encode() in await request.body():
        return JSONResponse({"error": {"message": "Not with this prompt."}}, 400)

    async def pieces():
        def line(choices, **more):
            frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            return b"data: " + orjson.dumps(frame | {"choices": choices} | more) + b"\n\n"

        for number in range(WORDS):
            await asyncio.sleep(GAP)
            delta = {"content": f"word{number} "}
            yield line([{"index": 0, "delta": delta, "finish_reason": None}])
        yield line([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        usage = {"prompt_tokens": 20, "completion_tokens": WORDS, "total_tokens": 20 + WORDS}
        yield line([], usage=usage)
        yield b"data: [DONE]\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def embed(request: Request) -> JSONResponse:
    texts = (await request.json())["input"]
    await asyncio.sleep(VECTOR_SECONDS)
    data = [
        {"index": at, "object": "embedding", "embedding": [1.0, len(text) / 1000] + [0.5] * 62}
        for at, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 10, "total_tokens": 10}
    return JSONResponse({"object": "list", "model": "m", "data": data, "usage": usage})


app = Starlette(
    routes=[
        Route("/v1/chat/completions", complete, methods=["POST"]),
        Route("/v1/embeddings", embed, methods=["POST"]),
    ]
)
