"""Spans of model calls, in the words of OpenTelemetry's conventions for generative AI.

A call is one span, each of its steps before the model and each request to a provider one within.
"""

from collections.abc import AsyncGenerator
from time import perf_counter
from typing import Any

import orjson

from app.core import tracing
from app.llm.call import Call
from app.llm.port import Delta, Finish, Message, Provider

# What the conventions call them; the others are called as we do.
NAMES = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
}


def begun(call: Call) -> Any:
    return tracing.begin(f"answer {call.ask.feature}", {"app.feature": call.ask.feature})


def ended(call: Call, span: Any) -> None:
    if span is None:
        return
    told: dict[str, Any] = {"app.outcome": call.outcome}
    for step, note in call.notes.items():
        pairs = note.items() if isinstance(note, dict) else ()
        told |= {
            f"app.{step}.{name}": value
            for name, value in pairs
            if isinstance(value, str | int | float)
        }
    if used := call.used:
        told |= {"app.cost_microdollars": used.microdollars}
    failed = call.problem if call.outcome in {"failed", "refused", "withheld"} else None
    tracing.end(span, told, error=failed)


async def asked(call: Call, provider: Provider) -> AsyncGenerator[Delta | Finish, None]:
    """The provider's events, with a span around them."""
    span = tracing.begin(
        f"chat {provider.model}", _request(call, provider), kind="CLIENT", parent=call.span
    )
    told: dict[str, Any] = {}
    said: list[str] = []
    failed: str | None = None
    began = perf_counter()
    events = provider.stream(call.ask)
    try:
        async for event in events:
            if isinstance(event, Finish):
                told |= _response(event)
            else:
                if not said:
                    told["gen_ai.response.time_to_first_chunk"] = perf_counter() - began
                said.append(event.text if tracing.shows_words() else "")
            yield event
    except GeneratorExit:
        failed = "left"
        raise
    except BaseException as error:
        failed = type(error).__name__
        raise
    finally:
        await events.aclose()
        if tracing.shows_words():
            told["gen_ai.output.messages"] = _words([Message("assistant", "".join(said))])
        tracing.end(span, told, error=failed)


def _request(call: Call, provider: Provider) -> dict[str, Any]:
    ask = call.ask
    shown = {"gen_ai.input.messages": _words(ask.messages)} if tracing.shows_words() else {}
    return shown | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": NAMES.get(provider.name, provider.name),
        "gen_ai.request.model": provider.model,
        "gen_ai.request.max_tokens": ask.max_output_tokens,
        "gen_ai.request.temperature": ask.temperature,
        "gen_ai.request.stream": True,
        "gen_ai.prompt.name": ask.prompt.name if ask.prompt else None,
        "gen_ai.output.type": "json" if ask.shape else "text",
    }


def _response(finish: Finish) -> dict[str, Any]:
    usage = finish.usage
    return {
        "gen_ai.response.model": finish.model,
        "gen_ai.response.finish_reasons": [finish.reason],
        "gen_ai.usage.input_tokens": usage.input_tokens if usage else None,
        "gen_ai.usage.output_tokens": usage.output_tokens if usage else None,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens if usage else None,
    }


def _words(messages: Any) -> str:
    told = [
        {"role": one.role, "parts": [{"type": "text", "content": one.content}]} for one in messages
    ]
    return orjson.dumps(told).decode()
