"""OpenAI's wire format, which most providers and every gateway speak."""

from collections.abc import Sequence
from typing import Any

import orjson
from yarl import URL

from app.llm import refusals
from app.llm.errors import AnswerMalformed
from app.llm.port import Ask, Message
from app.llm.settings import LLMSettings
from app.llm.turns import shape_in_words
from app.llm.wire import BrokenOff, Reader, Request, Wire, a_text, loads, usage

# What a message may hold and the text does not need; anything else with content is told.
READ = frozenset({"role", "content", "refusal", "tool_calls"})


class OpenAIWire(Wire):
    """A model behind an address that speaks `/chat/completions`."""

    def __init__(
        self,
        *,
        key: str = "",
        key_header: str = "Authorization",
        limit_field: str = "max_tokens",
        has_shapes: bool = True,
        **values: Any,
    ) -> None:
        """`limit_field` is what this provider calls the limit of the answer's tokens.

        Without `has_shapes` the schema of an answer is told in words.
        """
        super().__init__(**values)
        self._has_shapes = has_shapes
        self._url = URL(f"{self._base}/chat/completions")
        self._embeddings_url = URL(f"{self._base}/embeddings")
        self._limit_field = limit_field
        if key:
            bearer = key_header == "Authorization"
            self._headers[key_header] = f"Bearer {key}" if bearer else key

    async def request(self, ask: Ask, *, streams: bool) -> Request:
        if ask.shape and not self._has_shapes:
            ask = shape_in_words(ask)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [_message(one) for one in ask.messages],
        }
        if ask.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": one.name,
                        "description": one.description,
                        "parameters": one.schema,
                    },
                }
                for one in ask.tools
            ]
            if not ask.may_call:
                body["tool_choice"] = "none"
        if ask.shape:
            shape = {"name": ask.shape.name, "schema": ask.shape.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        if ask.max_output_tokens is not None:
            body[self._limit_field] = ask.max_output_tokens
        if ask.temperature is not None:
            body["temperature"] = ask.temperature
        if LLMSettings.load().logprobs and not ask.shape:
            body["logprobs"] = True
        body |= ask.options
        if streams:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return Request(self._url, orjson.dumps(body), self._headers)

    async def embed(
        self, model: str, texts: Sequence[str], dimensions: int | None = None
    ) -> tuple[list[list[float]], int | None]:
        """A vector for each text, in their order, and the tokens that the provider counted."""
        body: dict[str, Any] = {"model": model, "input": list(texts)}
        if dimensions is not None:
            body["dimensions"] = dimensions
        answer = loads(
            await self.fetch(Request(self._embeddings_url, orjson.dumps(body), self._headers))
        )
        told = (answer.get("usage") or {}).get("prompt_tokens")
        return _vectors(answer, len(texts)), told if type(told) is int and told >= 0 else None

    def reader(self) -> Reader:
        return _Reader(self.model)


class _Reader(Reader):
    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._keys: dict[Any, Any] = {}

    def piece(self, event: bytes) -> str:
        if event == b"[DONE]":
            self.ended = True
            return ""
        return self._read(loads(event), "delta")

    def whole(self, body: bytes) -> str:
        return self._read(loads(body), "message")

    def _read(self, chunk: dict[str, Any], part: str) -> str:
        if chunk.get("error"):
            raise BrokenOff(refusals.refusal(chunk))
        try:
            if used := chunk.get("usage"):
                cached = (used.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
                self.usage = usage(used.get("prompt_tokens"), used.get("completion_tokens"), cached)
            if model := chunk.get("model"):
                self.model = str(model)[:200]
            choices = chunk.get("choices")
            if not choices:
                return ""
            choice = choices[0]
            if reason := choice.get("finish_reason"):
                self.reason = str(reason)[:40]
            said = choice.get(part) or {}
            if not (said.keys() <= READ):
                self.unread |= {name for name, value in said.items() if value} - READ
            if told := choice.get("logprobs"):
                self.probable([one.get("logprob") for one in told.get("content") or ()])
            if calls := said.get("tool_calls"):
                self._take(calls)
            text = said.get("content") or said.get("refusal") or ""
            return text if type(text) is str else a_text(text)
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error

    def _take(self, calls: Sequence[dict[str, Any]]) -> None:
        for place, one in enumerate(calls):
            function = one.get("function") or {}
            index, id_ = one.get("index"), one.get("id")
            if id_ and index is not None and index in self._calls:
                # Some servers give all calls the same number; a new id is a new call.
                self._keys[index] = index if self._calls[index].id in {"", id_} else id_
            key = self._keys.get(index, index) if index is not None else id_ or place
            self.call(key, function.get("name"), function.get("arguments"), id_)


def _message(one: Message) -> dict[str, Any]:
    message: dict[str, Any] = {"role": one.role, "content": one.content}
    if one.calls:
        message["content"] = one.content or None
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": orjson.dumps(call.parsed).decode()},
            }
            for call in one.calls
        ]
    if one.result_of is not None:
        message["tool_call_id"] = one.result_of.id
    return message


def _vectors(answer: dict[str, Any], count: int) -> list[list[float]]:
    """Raises `AnswerMalformed` unless there is a list of numbers for each text."""
    try:
        found = sorted(answer["data"], key=lambda one: int(one["index"]))
        vectors = [[float(number) for number in one["embedding"]] for one in found]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnswerMalformed("The provider's vectors could not be read.") from error
    if len(vectors) != count or len({len(one) for one in vectors}) != 1:
        raise AnswerMalformed("The provider did not give a vector for each text.")
    return vectors
