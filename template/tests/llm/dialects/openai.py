"""OpenAI's `/chat/completions`."""

from typing import Any

from tests.llm.behaviour import Behaviour, Received
from tests.llm.dialects import pieces, sse

KEY = "sk-live-" + "T4xkQ29fLmZ7vWc8RbN3yHs6Jd1G"
COMMON = {"API_KEY": KEY, "MODEL": "m", "BASE_URL": "{url}/v1"}
PROVIDERS = dict.fromkeys(("openai", "azure", "vllm", "ollama", "compatible"), COMMON)
REFUSALS: dict[str, tuple[int, dict[str, str], Any]] = {
    "throttled": (429, {"Retry-After": "7"}, {"error": {"code": "rate_limit_exceeded"}}),
    "down": (500, {}, {"error": {"message": "boom"}}),
    "busy": (503, {}, {"error": {"message": "overloaded"}}),
    "no json": (502, {}, b"<html>Bad gateway</html>"),
    "wrong key": (401, {}, {"error": {"code": "invalid_api_key", "message": KEY}}),
    "no money": (429, {}, {"error": {"code": "insufficient_quota"}}),
    "unknown model": (404, {}, {"error": {"code": "model_not_found"}}),
    "too long": (400, {}, {"error": {"code": "context_length_exceeded"}}),
    "filtered": (400, {}, {"error": {"code": "content_filter"}}),
    "refused": (400, {}, {"error": {"message": "Unsupported parameter"}}),
}


class Dialect:
    stream_type = "text/event-stream"
    garbage = b'data: {"choices": [{"del\n\n'

    writes_arguments = True

    def streams(self, request: Received) -> bool:
        return bool(request.body.get("stream"))

    def opening(self, wanted: Behaviour, request: Received) -> list[bytes]:
        return []

    def word(self, wanted: Behaviour, request: Received, number: int, word: str) -> bytes:
        delta = {"content": word, **wanted.extra}
        if number == 0:
            delta["role"] = "assistant"
        chunk = self._chunk(request, delta)
        if request.body.get("logprobs"):
            told = {"content": [{"token": word, "logprob": wanted.logprob}]}
            chunk["choices"][0]["logprobs"] = told
        return sse(chunk)

    def calls(self, wanted: Behaviour, request: Received) -> list[bytes]:
        found = []
        for at, (name, arguments) in enumerate(wanted.calls):
            first = {"id": f"call_{at}", "type": "function"}
            first["function"] = {"name": name, "arguments": ""}
            found.append([{"index": at} | first])
            found += [
                [{"index": at, "function": {"arguments": piece}}] for piece in pieces(arguments)
            ]
        return [sse(self._chunk(request, {"tool_calls": one})) for one in found]

    def ending(self, wanted: Behaviour, request: Received) -> list[bytes]:
        found = [sse(self._chunk(request, {}, wanted.finish))] if wanted.finish else []
        asked = (request.body.get("stream_options") or {}).get("include_usage")
        if asked and wanted.usage is not None:
            last = {"model": request.body["model"], "choices": [], "usage": self._usage(wanted)}
            found.append(sse(last))
        return [*found, b"data: [DONE]\n\n"] if wanted.done else found

    def broken(self, wanted: Behaviour) -> bytes:
        return sse({"error": {"message": "secret details"}})

    def whole(self, wanted: Behaviour, request: Received) -> Any:
        message = {"role": "assistant", "content": "".join(wanted.words), **wanted.extra}
        if wanted.calls:
            message["tool_calls"] = [
                {"id": f"call_{at}", "function": {"name": name, "arguments": arguments}}
                for at, (name, arguments) in enumerate(wanted.calls)
            ]
        return {
            "model": request.body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": wanted.finish}],
            "usage": self._usage(wanted),
        }

    def _chunk(
        self, request: Received, delta: dict[str, Any], finish: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c-1", "model": request.body["model"], "choices": [choice]}

    def _usage(self, wanted: Behaviour) -> Any:
        if wanted.counts is None:
            return wanted.usage
        given, made = wanted.counts
        return {"prompt_tokens": given, "completion_tokens": made}
