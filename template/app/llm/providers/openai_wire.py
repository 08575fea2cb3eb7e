"""OpenAI's wire format, which most providers and every gateway speak.

A thin reader on a kept HTTP client: it costs a fifth of the CPU of the official client.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import orjson
from aiohttp import ClientResponse, ClientTimeout
from yarl import URL

from app.core.logging import log
from app.llm import http, refusals
from app.llm.errors import AnswerCut, AnswerMalformed, ModelMisconfigured, ModelUnreachable
from app.llm.event_stream import EventStream, LineTooLong
from app.llm.port import (
    Ask,
    Completion,
    Delta,
    Finish,
    Message,
    Usage,
    estimated_input_tokens,
)

LARGEST_ANSWER = 16_777_216
LARGEST_ERROR = 65_536
DRAIN_SECONDS = 0.1
GATHER_SECONDS = 0.016
# What a message may hold and the text does not need; anything else with content is told.
READ = frozenset({"role", "content", "refusal"})


class OpenAIWire:
    """A model behind an address that speaks `/chat/completions`."""

    stand_in = False

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        model: str,
        key: str = "",
        key_header: str = "Authorization",
        key_setting: str = "LLM_API_KEY",
        limit_field: str = "max_tokens",
        connect_seconds: float = 5,
    ) -> None:
        """`limit_field` is what this provider calls the limit of the answer's tokens."""
        self.name = name
        self.model = model
        self.address = base_url
        self._url = URL(base_url.rstrip("/") + "/chat/completions")
        self._limit_field = limit_field
        self._key_setting = key_setting
        self._timeout = ClientTimeout(total=None, sock_connect=connect_seconds)
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": "app",
            # A compressing proxy would hold tokens back until its window is full.
            "Accept-Encoding": "identity",
        }
        if key:
            bearer = key_header == "Authorization"
            self._headers[key_header] = f"Bearer {key}" if bearer else key

    def count(self, messages: Sequence[Message]) -> int:
        return estimated_input_tokens(messages)

    async def complete(self, ask: Ask) -> Completion:
        async with self._send(self._body(ask)) as response:
            _expect(response, "application/json")
            text = await _read(response, LARGEST_ANSWER)
        chunk = _loads(text)
        answer = _Reader(self.model)
        said = answer.read(chunk, "message")
        return Completion(said, answer.finish())

    async def stream(self, ask: Ask) -> AsyncGenerator[Delta | Finish, None]:
        body = self._body(ask) | {"stream": True, "stream_options": {"include_usage": True}}
        events, answer, ended = EventStream(), _Reader(self.model), False
        clock, next_at = asyncio.get_running_loop().time, 0.0
        async with self._send(body) as response:
            _expect(response, "text/event-stream")
            try:
                while not ended:
                    chunk = await response.content.readany()
                    found = events.feed(chunk) if chunk else events.end()
                    said = ""
                    for data in found:
                        if data == b"[DONE]":
                            ended = True
                            break
                        said += answer.read(_loads(data), "delta")
                    # All that one read brought goes on as one piece: under load there is more.
                    if said:
                        next_at = clock() + GATHER_SECONDS
                        yield Delta(said)
                    if not chunk:
                        break
                    # Words that come faster than a screen draws are read together: a piece costs
                    # the same whatever is in it.
                    if not ended and (wait := next_at - clock()) > 0:
                        await asyncio.sleep(wait)
                await _drain(response)
            except LineTooLong as error:
                raise AnswerMalformed("The model's answer could not be read.") from error
        if not ended and answer.reason is None:
            raise AnswerCut("The model's answer broke off.")
        yield answer.finish()

    def _body(self, ask: Ask) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": one.role, "content": one.content} for one in ask.messages],
        }
        if ask.max_output_tokens is not None:
            body[self._limit_field] = ask.max_output_tokens
        if ask.temperature is not None:
            body["temperature"] = ask.temperature
        return body | dict(ask.options)

    @asynccontextmanager
    async def _send(self, body: dict[str, Any]) -> AsyncIterator[ClientResponse]:
        answered = False
        try:
            async with http.session().post(
                self._url,
                data=orjson.dumps(body),
                headers=self._headers,
                timeout=self._timeout,
                # Following one would carry the key to an address nobody has chosen.
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                answered = True
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("llm.connection_failed", provider=self.name, error=type(error).__name__)
            if answered:
                raise AnswerCut("The model's answer broke off.") from error
            raise ModelUnreachable(
                "The model cannot be reached. Check LLM_BASE_URL and the network."
            ) from error

    async def _refusal(self, response: ClientResponse) -> Exception:
        if 300 <= response.status < 400:
            return ModelMisconfigured(
                "LLM_BASE_URL answers with a redirect; set it to the address it leads to."
            )
        said = refusals.parsed(await _read(response, LARGEST_ERROR, strict=False))
        log.warning(
            "llm.refused", provider=self.name, status=response.status, code=said.loggable_code
        )
        return refusals.problem(
            said, response.status, response.headers, key_setting=self._key_setting
        )


class _Reader:
    """Gathers what the chunks of one answer say besides their text."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.reason: str | None = None
        self.usage: Usage | None = None
        self.unread: set[str] = set()

    def read(self, chunk: dict[str, Any], part: str) -> str:
        """The text in a chunk; `part` is `delta` in a stream and `message` otherwise."""
        if chunk.get("error"):
            raise AnswerCut("The model provider broke off its answer.")
        try:
            if used := chunk.get("usage"):
                self.usage = _usage(used)
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
            text = said.get("content") or said.get("refusal") or ""
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error
        if not isinstance(text, str):
            raise AnswerMalformed("The model's answer is not a text.")
        return text

    def finish(self) -> Finish:
        return Finish(
            reason=self.reason or "stop",
            model=self.model,
            usage=self.usage,
            unread=frozenset(self.unread),
        )


def _usage(told: dict[str, Any]) -> Usage | None:
    """None when the numbers are not numbers; then we count ourselves."""
    given, made = told.get("prompt_tokens"), told.get("completion_tokens")
    cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    numbers = (given, made, cached)
    if not all(type(number) is int and 0 <= number < 1 << 40 for number in numbers):
        return None
    return Usage(int(given or 0), int(made or 0), min(int(cached), int(given or 0)))


def _expect(response: ClientResponse, kind: str) -> None:
    if response.content_type != kind:
        raise ModelMisconfigured(
            f"LLM_BASE_URL answers, but not with {kind}. Does the address end where the"
            " provider's documentation says, often in /v1?"
        )


def _loads(data: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise AnswerMalformed("The model's answer could not be read.") from error
    if not isinstance(chunk, dict):
        raise AnswerMalformed("The model's answer could not be read.")
    return chunk


async def _drain(response: ClientResponse) -> None:
    """Read the end that follows the last event, or the connection could not be kept."""
    if not response.content.at_eof():
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await response.content.readany()


async def _read(response: ClientResponse, limit: int, *, strict: bool = True) -> bytes:
    """A body up to `limit` bytes; over it a problem, or with `strict=False` its beginning."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            if strict:
                raise AnswerMalformed("The model's answer is far too long.")
            break
    return b"".join(parts)[:limit]
