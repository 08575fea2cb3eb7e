"""Google's wire for Gemini, the same at its API for developers and at Vertex AI."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from yarl import URL

from app.llm import refusals
from app.llm.errors import AnswerMalformed, ContentRefused
from app.llm.port import Ask, Message, Offer
from app.llm.turns import turns
from app.llm.wire import BrokenOff, Reader, Request, Wire, a_text, loads, usage

FILTERED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"}
REASONS = {"STOP": "stop", "MAX_TOKENS": "length", **dict.fromkeys(FILTERED, "content_filter")}
# Of such an answer the call is lost. The second comes where calls were forbidden.
BROKEN_CALLS = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"}
# What stands in a part besides its text and is no content of its own.
MARKS = {"text", "thought", "thoughtSignature", "partMetadata", "functionCall"}


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
                {
                    "role": "model" if role == "assistant" else role,
                    "parts": [part for one in said for part in _parts(one)],
                }
                for role, said in messages
            ]
        }
        if ask.tools:
            body["tools"] = [{"functionDeclarations": [_declared(one) for one in ask.tools]}]
            if not ask.may_call:
                body["toolConfig"] = {"functionCallingConfig": {"mode": "NONE"}}
        if system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        limits = {"maxOutputTokens": ask.max_output_tokens, "temperature": ask.temperature}
        given: dict[str, Any] = {name: one for name, one in limits.items() if one is not None}
        if ask.shape:
            given |= {"responseMimeType": "application/json"}
            given["responseJsonSchema"] = ask.shape.schema
        if given:
            body["generationConfig"] = given
        body |= ask.options
        url = self._streamed if streams else self._whole
        return Request(url, orjson.dumps(body), await self.headers())

    def reader(self) -> Reader:
        return _Reader(self.model)


def _declared(one: Offer) -> dict[str, Any]:
    return {
        "name": one.name,
        "description": one.description,
        "parametersJsonSchema": one.schema,
    }


def _parts(one: Message) -> Iterator[dict[str, Any]]:
    if one.result_of is not None:
        response = {"error" if one.failed else "output": one.content}
        yield {"functionResponse": {"name": one.result_of.name, "response": response}}
    elif one.content or not one.calls:
        yield {"text": one.content}
    for call in one.calls:
        part: dict[str, Any] = {"functionCall": {"name": call.name, "args": call.parsed}}
        if call.signature:
            part["thoughtSignature"] = call.signature
        yield part


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
                if reason in BROKEN_CALLS:
                    raise AnswerMalformed("The model's call of a tool could not be read.")
                self.reason = REASONS.get(reason, str(reason).lower()[:40])
            self.probable([first.get("avgLogprobs")])
            parts = (first.get("content") or {}).get("parts") or ()
            return "".join(self._text(part) for part in parts)
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error

    def _text(self, part: dict[str, Any]) -> str:
        if not (part.keys() <= MARKS):
            self.unread |= {name for name, value in part.items() if value} - MARKS
        if called := part.get("functionCall"):
            given = orjson.dumps(called.get("args") or {}).decode()
            signature = part.get("thoughtSignature")
            # Each call comes whole.
            self.call(len(self._calls), called["name"], given, called.get("id"), signature)
            return ""
        if part.get("thought"):
            self.unread.add("thought")
            return ""
        return a_text(part.get("text") or "")
