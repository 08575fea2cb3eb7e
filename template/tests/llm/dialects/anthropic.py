"""Anthropic's Messages."""

from typing import Any

import orjson

from tests.llm.behaviour import Behaviour, Received
from tests.llm.dialects import pieces, sse

KEY = "sk-ant-" + "api03-T4xkQ29fLmZ7vWc8RbN3yHs6Jd1G"
PROVIDERS = {"anthropic": {"API_KEY": KEY, "MODEL": "m", "BASE_URL": "{url}/v1"}}
REASONS = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}


def error(kind: str, message: str = "secret details") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


REFUSALS: dict[str, tuple[int, dict[str, str], Any]] = {
    "throttled": (429, {"retry-after": "7"}, error("rate_limit_error")),
    "down": (500, {}, error("api_error")),
    "busy": (529, {}, error("overloaded_error")),
    "no json": (502, {}, b"<html>Bad gateway</html>"),
    "wrong key": (401, {}, error("authentication_error", f"invalid x-api-key {KEY}")),
    "no money": (
        400,
        {},
        error("invalid_request_error", "Your credit balance is too low to access the API."),
    ),
    "unknown model": (404, {}, error("not_found_error", "model: m")),
    "too long": (
        400,
        {},
        error("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
    ),
    "refused": (400, {}, error("invalid_request_error", "temperature: not supported")),
}


class Dialect:
    stream_type = "text/event-stream"
    garbage = b'event: content_block_delta\ndata: {"type": "content_bl\n\n'

    writes_arguments = True

    def streams(self, request: Received) -> bool:
        return bool(request.body.get("stream"))

    def opening(self, wanted: Behaviour, request: Received) -> list[bytes]:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
        message |= {"model": request.body["model"], "stop_reason": None}
        if wanted.counts:
            message["usage"] = {"input_tokens": wanted.counts[0], "output_tokens": 1}
        block = {"type": "text", "text": ""}
        return [
            self._event({"type": "message_start", "message": message}),
            self._event({"type": "content_block_start", "index": 0, "content_block": block}),
            self._event({"type": "ping"}),
        ]

    def word(self, wanted: Behaviour, request: Received, number: int, word: str) -> bytes:
        delta = {"type": "text_delta", "text": word}
        return self._event({"type": "content_block_delta", "index": 0, "delta": delta})

    def calls(self, wanted: Behaviour, request: Received) -> list[bytes]:
        found: list[dict[str, Any]] = []
        for at, (name, arguments) in enumerate(wanted.calls, 1):
            block = {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": {}}
            found.append({"type": "content_block_start", "index": at, "content_block": block})
            for piece in ["", *pieces(arguments)]:
                delta = {"type": "input_json_delta", "partial_json": piece}
                found.append({"type": "content_block_delta", "index": at, "delta": delta})
            found.append({"type": "content_block_stop", "index": at})
        return [self._event(one) for one in found]

    def ending(self, wanted: Behaviour, request: Received) -> list[bytes]:
        found = [self._event({"type": "content_block_stop", "index": 0})]
        if wanted.finish:
            reason = REASONS.get(wanted.finish, wanted.finish)
            last: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": reason}}
            if wanted.counts:
                last["usage"] = {"output_tokens": wanted.counts[1]}
            found.append(self._event(last))
        return [*found, self._event({"type": "message_stop"})] if wanted.done else found

    def broken(self, wanted: Behaviour) -> bytes:
        return self._event(error(wanted.error_kind or "overloaded_error"))

    def whole(self, wanted: Behaviour, request: Received) -> Any:
        answer: dict[str, Any] = {
            "type": "message",
            "model": request.body["model"],
            "content": [{"type": "text", "text": "".join(wanted.words)}],
            "stop_reason": REASONS.get(wanted.finish or "", wanted.finish),
        }
        answer["content"] += [
            {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": orjson.loads(given)}
            for at, (name, given) in enumerate(wanted.calls)
        ]
        if wanted.counts:
            answer["usage"] = dict(
                zip(("input_tokens", "output_tokens"), wanted.counts, strict=True)
            )
        return answer

    def _event(self, data: dict[str, Any]) -> bytes:
        return sse(data, data["type"])
