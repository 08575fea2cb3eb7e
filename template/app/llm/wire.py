"""What all providers behind HTTP have in common: a request, an answer read in pieces, its failures.

Each speaks its own wire on our one kept client. The vendors' clients would cost several times the
CPU of a streamed answer, and seconds of every start.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
import orjson
from aiohttp import ClientResponse, ClientTimeout
from yarl import URL

from app.core.errors import Problem
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
    ToolCall,
    Unshown,
    Usage,
    estimated_input_tokens,
)
from app.llm.refusals import Refusal

LARGEST_ANSWER = 16_777_216
LARGEST_ERROR = 65_536
DRAIN_SECONDS = 0.1
# Thirty pieces a second read like words that flow; the first one never waits.
GATHER_SECONDS = 0.033
MOST_CALLS = 64
LARGEST_ARGUMENTS = 131_072
MOST_TOKENS = 1 << 40


@dataclass(frozen=True, slots=True)
class Request:
    url: URL
    body: bytes
    headers: Mapping[str, str]


class Events(Protocol):
    """Cuts the bytes of a stream into events."""

    def feed(self, chunk: bytes) -> Iterable[Any]: ...

    def end(self) -> Iterable[Any]:
        """What the stream ended in, when its last mark is missing."""
        ...


class Reader:
    """Gathers what the events of one answer say besides their text."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.reason: str | None = None
        self.usage: Usage | None = None
        self.unread: set[str] = set()
        self.ended = False
        """Nothing that counts comes after this."""
        self.unshown = 0
        """Bytes of tools' arguments that came since the last look."""
        self._calls: dict[Any, Partial] = {}
        self._logprobs, self._probable = 0.0, 0

    def piece(self, event: Any) -> str:
        """The text in an event of a stream."""
        raise NotImplementedError

    def whole(self, body: bytes) -> str:
        """The text of an answer that came in one piece."""
        raise NotImplementedError

    def call(
        self, key: Any, name: object, arguments: object, id_: object = "", signature: object = ""
    ) -> None:
        """Take the next piece of a tool's call. `key` tells those that come at once apart."""
        found = self._calls.get(key)
        if found is None:
            if len(self._calls) == MOST_CALLS:
                raise AnswerMalformed("The model asks for far too many tools at once.")
            found = self._calls[key] = Partial()
        # Some servers say the name with every piece.
        found.name = found.name or a_text(name or "")[:200]
        found.id = found.id or a_text(id_ or "")[:200]
        found.signature = found.signature or a_text(signature or "")
        piece = a_text(arguments or "")
        found.arguments.append(piece)
        size = len(piece.encode())
        found.size += size
        self.unshown += size
        if found.size > LARGEST_ARGUMENTS:
            raise AnswerMalformed("The model's arguments for a tool are far too long.")

    def probable(self, logprobs: Sequence[object]) -> None:
        """Take how probable the next tokens were."""
        for one in logprobs:
            if isinstance(one, int | float):
                self._logprobs += min(0.0, one)
                self._probable += 1

    def finish(self) -> Finish:
        reason = self.reason or "stop"
        # What was cut before its end is no call, even where it reads like one.
        whole = reason not in {"length", "content_filter"}
        return Finish(
            reason=reason,
            model=self.model,
            usage=self.usage,
            unread=frozenset(self.unread),
            calls=tuple(one.whole() for one in self._calls.values()) if whole else (),
            mean_logprob=self._logprobs / self._probable if self._probable else None,
        )


@dataclass(slots=True)
class Partial:
    """A tool's call, as far as it came."""

    id: str = ""
    name: str = ""
    signature: str = ""
    arguments: list[str] = field(default_factory=list)
    size: int = 0

    def whole(self) -> ToolCall:
        return ToolCall(self.id, self.name, "".join(self.arguments) or "{}", self.signature)


class BrokenOff(Exception):
    """The provider says in its stream that it goes no further."""

    def __init__(self, said: Refusal, status: int | None = None) -> None:
        super().__init__()
        self.said = said
        self.status = status


class Wire:
    """A model behind an address. What a provider does differently, its file says."""

    stand_in = False
    stream_type = "text/event-stream"

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        model: str,
        connect_seconds: float = 5,
        settings_prefix: str = "LLM_",
        key_setting: str = "",
        price_list: str = "",
    ) -> None:
        """`settings_prefix` and `key_setting` name the settings to look at when it goes wrong."""
        self.name = name
        self.model = model
        self.price_list = price_list or name
        self.address = base_url
        self._base = base_url.rstrip("/")
        self._prefix = settings_prefix
        self._key_setting = key_setting or f"{settings_prefix}API_KEY"
        self._timeout = ClientTimeout(total=None, sock_connect=connect_seconds)
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": "app",
            # A compressing proxy would hold tokens back until its window is full.
            "Accept-Encoding": "identity",
        }

    async def request(self, ask: Ask, *, streams: bool) -> Request:
        raise NotImplementedError

    def reader(self) -> Reader:
        raise NotImplementedError

    def events(self) -> Events:
        return EventStream()

    def count(self, messages: Sequence[Message]) -> int:
        return estimated_input_tokens(messages)

    async def complete(self, ask: Ask) -> Completion:
        body = await self.fetch(await self.request(ask, streams=False))
        answer = self.reader()
        try:
            said = answer.whole(body)
        except BrokenOff as broken:
            raise self._broken(broken, started=False) from None
        return Completion(said, answer.finish())

    async def fetch(self, request: Request) -> bytes:
        """The JSON that answers a request, unread."""
        async with self._send(request) as response:
            self._expect(response, "application/json")
            return await _read(response, LARGEST_ANSWER)

    async def stream(self, ask: Ask) -> AsyncGenerator[Delta | Finish, None]:
        events, answer, started, said = self.events(), self.reader(), False, ""
        clock, next_at = asyncio.get_running_loop().time, 0.0
        async with self._send(await self.request(ask, streams=True)) as response:
            self._expect(response, self.stream_type)
            try:
                while not answer.ended:
                    chunk = await response.content.readany()
                    found = events.feed(chunk) if chunk else events.end()
                    said = ""
                    for event in found:
                        said += answer.piece(event)
                        if answer.ended:
                            break
                    # All that one read brought goes on as one piece: under load there is more.
                    if said:
                        next_at, started = clock() + GATHER_SECONDS, True
                        yield Delta(said)
                    if answer.unshown:
                        size, answer.unshown, started = answer.unshown, 0, True
                        yield Unshown("", size)
                    if not chunk:
                        break
                    # Words that come faster than people see are read together: a piece costs the
                    # same whatever is in it.
                    if not answer.ended and (wait := next_at - clock()) > 0:
                        await _rest(response, wait)
                await _drain(response)
            except LineTooLong as error:
                raise AnswerMalformed("The model's answer could not be read.") from error
            except BrokenOff as broken:
                raise self._broken(broken, started=started or bool(said)) from None
        if not answer.ended and answer.reason is None:
            raise AnswerCut("The model's answer broke off.")
        yield answer.finish()

    @asynccontextmanager
    async def _send(self, request: Request) -> AsyncIterator[ClientResponse]:
        answered = False
        try:
            async with http.session().post(
                request.url,
                data=request.body,
                headers=request.headers,
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
                f"The model cannot be reached. Check {self._prefix}BASE_URL and the network."
            ) from error

    async def _refusal(self, response: ClientResponse) -> Problem:
        if 300 <= response.status < 400:
            return ModelMisconfigured(
                f"{self._prefix}BASE_URL answers with a redirect; set it to where it leads."
            )
        body = await _read(response, LARGEST_ERROR, strict=False)
        said = refusals.parsed(body, response.headers)
        log.warning(
            "llm.refused", provider=self.name, status=response.status, code=said.loggable_code
        )
        return self._problem(said, response.status, response.headers)

    def _broken(self, broken: BrokenOff, *, started: bool) -> Problem:
        """An answer that has begun was cut; before that it is a refusal like any other."""
        said = broken.said
        log.warning("llm.broken_off", provider=self.name, code=said.loggable_code)
        if started or broken.status is None:
            return AnswerCut("The model provider broke off its answer.")
        return self._problem(said, broken.status, {})

    def _problem(self, said: Refusal, status: int, headers: Mapping[str, str]) -> Problem:
        return refusals.problem(
            said, status, headers, key_setting=self._key_setting, settings_prefix=self._prefix
        )

    def _expect(self, response: ClientResponse, kind: str) -> None:
        if response.content_type != kind:
            raise ModelMisconfigured(
                f"{self._prefix}BASE_URL answers, but not with {kind}. Does the address end where"
                " the provider's documentation says, often in /v1?"
            )


def loads(data: bytes) -> dict[str, Any]:
    """A JSON object, or `AnswerMalformed`."""
    try:
        chunk = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise AnswerMalformed("The model's answer could not be read.") from error
    if not isinstance(chunk, dict):
        raise AnswerMalformed("The model's answer could not be read.")
    return chunk


def usage(given: object, made: object, cached: object = 0) -> Usage | None:
    """None when the numbers are not numbers; then we count ourselves."""
    numbers = [one for one in (given, made, cached) if type(one) is int and 0 <= one < MOST_TOKENS]
    if len(numbers) != 3:
        return None
    return Usage(numbers[0], numbers[1], min(numbers[2], numbers[0]))


def a_text(said: object) -> str:
    if not isinstance(said, str):
        raise AnswerMalformed("The model's answer is not a text.")
    return said


async def _rest(response: ClientResponse, seconds: float) -> None:
    """Leave what comes meanwhile to the kernel: it costs one read then, not one for each word."""
    # Gone once the answer has ended; not reading when its buffer is full.
    transport = response.connection.transport if response.connection else None
    paused = transport is not None and transport.is_reading()
    if transport and paused:
        transport.pause_reading()
    try:
        await asyncio.sleep(seconds)
    finally:
        if transport and paused and not transport.is_closing():
            transport.resume_reading()


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
