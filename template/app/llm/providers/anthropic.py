"""Anthropic's own API, the Messages protocol."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from yarl import URL

from app.llm import refusals
from app.llm.access import Access
from app.llm.errors import AnswerMalformed
from app.llm.port import Ask, Message, Provider
from app.llm.turns import turns
from app.llm.wire import BrokenOff, Reader, Request, Wire, a_text, loads, usage

NEEDS = ("api_key",)
ADDRESS = "https://api.anthropic.com/v1"
MODEL = "claude-sonnet-5-5"
VERSION = "2023-06-01"
# The protocol wants a limit; callers through the gateway always give one.
MOST_OUTPUT_TOKENS = 4096
REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
# What an error in a stream would have been as the status of an answer.
STATUSES = {
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "invalid_request_error": 400,
}


def address(access: Access) -> str:
    return access.base_url or ADDRESS


def create(access: Access) -> Provider:
    # Without it, a model runs wherever there is room.
    geography = "us" if access.data_region == "us" else ""
    return Messages(
        name="anthropic",
        base_url=address(access),
        model=access.model or MODEL,
        key=access.key,
        geography=geography,
        price_list="anthropic_us" if geography else "",
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
    )


def problems(access: Access) -> list[str]:
    if access.data_region == "eu":
        return ["Anthropic's own API has no EU region; bedrock keeps data in the EU."]
    return []


class Messages(Wire):
    def __init__(self, *, key: str, geography: str = "", **values: Any) -> None:
        super().__init__(**values)
        self._url = URL(f"{self._base}/messages")
        self._geography = geography
        self._headers |= {"x-api-key": key, "anthropic-version": VERSION}

    async def request(self, ask: Ask, *, streams: bool) -> Request:
        system, messages = turns(ask)
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": ask.max_output_tokens or MOST_OUTPUT_TOKENS,
            "messages": [{"role": role, "content": _content(said)} for role, said in messages],
        }
        if ask.tools:
            body["tools"] = [
                {"name": one.name, "description": one.description, "input_schema": one.schema}
                for one in ask.tools
            ]
            if not ask.may_call:
                body["tool_choice"] = {"type": "none"}
        if ask.shape:
            shape = {"type": "json_schema", "schema": ask.shape.schema}
            body["output_config"] = {"format": shape}
        if system:
            body["system"] = system
        if self._geography:
            body["inference_geo"] = self._geography
        if ask.temperature is not None:
            body["temperature"] = ask.temperature
        body |= ask.options
        if streams:
            body["stream"] = True
        return Request(self._url, orjson.dumps(body), self._headers)

    def reader(self) -> Reader:
        return _Reader(self.model)


def _content(said: Sequence[Message]) -> str | list[dict[str, Any]]:
    if len(said) == 1 and not said[0].calls and said[0].result_of is None:
        return said[0].content
    return [block for one in said for block in _blocks(one)]


def _blocks(one: Message) -> Iterator[dict[str, Any]]:
    if one.result_of is not None:
        id_ = one.result_of.id
        result = {"type": "tool_result", "tool_use_id": id_, "content": one.content}
        yield result | ({"is_error": True} if one.failed else {})
    elif one.content.strip():
        yield {"type": "text", "text": one.content}
    for call in one.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": call.parsed}


class _Reader(Reader):
    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._told: dict[str, Any] = {}

    def piece(self, event: bytes) -> str:
        chunk = loads(event)
        kind = chunk.get("type")
        try:
            match kind:
                case "content_block_delta":
                    delta = chunk["delta"]
                    if delta["type"] == "text_delta":
                        return a_text(delta["text"])
                    if delta["type"] == "input_json_delta":
                        self.call(chunk["index"], "", delta["partial_json"])
                case "content_block_start":
                    return self._block(chunk["content_block"], chunk.get("index"))
                case "message_start":
                    message = chunk["message"]
                    self.model = str(message.get("model") or self.model)[:200]
                    self._count(message.get("usage"))
                case "message_delta":
                    self._stopped(chunk["delta"].get("stop_reason"))
                    self._count(chunk.get("usage"))
                case "message_stop":
                    self.ended = True
                case "error":
                    said = refusals.refusal(chunk)
                    raise BrokenOff(said, STATUSES.get(said.kind, 500))
        except (AttributeError, TypeError, KeyError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error
        return ""  # `ping`, the ends of blocks, and whatever may be added to the protocol.

    def whole(self, body: bytes) -> str:
        answer = loads(body)
        try:
            self.model = str(answer.get("model") or self.model)[:200]
            self._stopped(answer.get("stop_reason"))
            self._count(answer.get("usage"))
            return "".join(self._block(one, at) for at, one in enumerate(answer["content"]))
        except (AttributeError, TypeError, KeyError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error

    def _block(self, block: dict[str, Any], at: object) -> str:
        if block["type"] == "text":
            return a_text(block.get("text") or "")
        if block["type"] == "tool_use":
            # Empty when the arguments follow in pieces.
            given = orjson.dumps(block["input"]).decode() if block.get("input") else ""
            self.call(at, block["name"], given, block["id"])
            return ""
        self.unread.add(str(block["type"])[:40])
        return ""

    def _stopped(self, reason: object) -> None:
        if reason:
            self.reason = REASONS.get(str(reason), str(reason)[:40])

    def _count(self, told: dict[str, Any] | None) -> None:
        """Each number may come twice, and then the later one is the whole."""
        self._told |= {name: value for name, value in (told or {}).items() if value is not None}
        fresh, cached = self._told.get("input_tokens"), self._told.get("cache_read_input_tokens", 0)
        made, kept = (
            self._told.get("output_tokens"),
            self._told.get("cache_creation_input_tokens", 0),
        )
        numbers = usage(fresh, made, 0) and usage(cached, kept)
        total = sum((fresh, cached, kept)) if numbers and fresh is not None else None
        self.usage = usage(total, made, cached)
