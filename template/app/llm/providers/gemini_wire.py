"""Google's wire for Gemini, the same at its API for developers and at Vertex AI."""

from collections.abc import Mapping
from typing import Any

import orjson
from yarl import URL

from app.llm import refusals
from app.llm.errors import AnswerMalformed, ContentRefused
from app.llm.port import Ask
from app.llm.wire import BrokenOff, Reader, Request, Wire, a_text, loads, turns, usage

FILTERED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"}
REASONS = {"STOP": "stop", "MAX_TOKENS": "length", **dict.fromkeys(FILTERED, "content_filter")}
# What stands in a part besides its text and is no content of its own.
MARKS = {"text", "thought", "thoughtSignature", "partMetadata"}


class GeminiWire(Wire):
    """`base_url` ends where `/models/...` follows."""

    def __init__(self, *, key: str = "", **values: Any) -> None:
        super().__init__(**values)
        model = f"{self._base}/models/{self.model}"
        self._whole, self._streamed = (
            URL(f"{model}:generateContent"),
            URL(f"{model}:streamGenerateContent?alt=sse"),
        )
        if key:
            self._headers["x-goog-api-key"] = key

    async def headers(self) -> Mapping[str, str]:
        return self._headers

    async def request(self, ask: Ask, *, streams: bool) -> Request:
        system, messages = turns(ask)
        body: dict[str, Any] = {
            "contents": [
                {"role": "model" if role == "assistant" else role, "parts": [{"text": text}]}
                for role, text in messages
            ]
        }
        if system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        limits = {"maxOutputTokens": ask.max_output_tokens, "temperature": ask.temperature}
        if given := {name: value for name, value in limits.items() if value is not None}:
            body["generationConfig"] = given
        body |= ask.options
        url = self._streamed if streams else self._whole
        return Request(url, orjson.dumps(body), await self.headers())

    def reader(self) -> Reader:
        return _Reader(self.model)


class _Reader(Reader):
    """The stream has no mark at its end; the last piece says why the answer stopped."""

    def piece(self, event: bytes) -> str:
        return self.whole(event)

    def whole(self, body: bytes) -> str:
        chunk = loads(body)
        if error := chunk.get("error"):
            status = error.get("code") if isinstance(error, dict) else None
            raise BrokenOff(refusals.refusal(chunk), status if type(status) is int else 500)
        try:
            if model := chunk.get("modelVersion"):
                self.model = str(model)[:200]
            if told := chunk.get("usageMetadata"):
                made = (told.get("candidatesTokenCount", 0), told.get("thoughtsTokenCount", 0))
                self.usage = usage(*made) and usage(
                    told.get("promptTokenCount"), sum(made), told.get("cachedContentTokenCount", 0)
                )
            if (chunk.get("promptFeedback") or {}).get("blockReason"):
                raise ContentRefused("The model provider's content filter refused this question.")
            candidates = chunk.get("candidates")
            if not candidates:
                return ""
            first = candidates[0]
            if reason := first.get("finishReason"):
                self.reason = REASONS.get(reason, str(reason).lower()[:40])
            parts = (first.get("content") or {}).get("parts") or ()
            return "".join(self._text(part) for part in parts)
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error

    def _text(self, part: dict[str, Any]) -> str:
        if not (part.keys() <= MARKS):
            self.unread |= {name for name, value in part.items() if value} - MARKS
        if part.get("thought"):
            self.unread.add("thought")
            return ""
        return a_text(part.get("text") or "")
