"""Amazon Bedrock, the Converse protocol.

Credentials come from where AWS looks for them: environment, files, the container, the machine. Its
own library finds, renews and signs with them, and cuts the binary stream into events. A key for
Bedrock does as well, in LLM_API_KEY or AWS_BEARER_TOKEN_BEDROCK.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from yarl import URL

from app.llm.access import Access
from app.llm.errors import AnswerMalformed, ModelMisconfigured
from app.llm.port import Ask, Message, Offer, Provider
from app.llm.refusals import Refusal
from app.llm.turns import turns
from app.llm.wire import BrokenOff, Reader, Request, Wire, a_text, loads, usage

NEEDS = ("location",)
MODELS = {
    "anywhere": "global.anthropic.claude-sonnet-5-5",
    "eu": "eu.anthropic.claude-sonnet-5-5",
    "us": "us.anthropic.claude-sonnet-5-5",
}
# A model's name may begin with where requests to it are sent on to.
SPREAD = {"global", "us", "us-gov", "eu", "apac", "jp", "au", "ca"}
OUTSIDE_THE_EU = {"eu-west-2", "eu-central-2"}
REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
# What an exception in a stream would have been as the status of an answer.
STATUSES = {
    "throttlingException": 429,
    "serviceUnavailableException": 503,
    "internalServerException": 500,
    "modelTimeoutException": 408,
    "validationException": 400,
}


def address(access: Access) -> str:
    return access.base_url or f"https://bedrock-runtime.{access.location}.amazonaws.com"


def create(access: Access) -> Provider:
    return Converse(
        name="bedrock",
        base_url=address(access),
        model=model(access),
        place=access.location,
        key=access.key or os.environ.get("AWS_BEARER_TOKEN_BEDROCK", ""),
        connect_seconds=access.seconds_to_connect,
        settings_prefix=access.prefix,
        key_setting="the credentials of AWS and their right to invoke the model",
    )


def model(access: Access) -> str:
    return access.model or MODELS[access.data_region]


def problems(access: Access) -> list[str]:
    place, named, wanted = access.location, model(access), access.data_region
    if wanted == "anywhere":
        return []
    found = []
    if not place.startswith(f"{wanted}-") or place in OUTSIDE_THE_EU:
        found.append(
            f"{access.prefix}LOCATION={place} is not in {wanted.upper()}, where data stays."
        )
    spread = named.partition(".")[0]
    if spread in SPREAD and spread != wanted:
        found.append(f"{access.prefix}MODEL={named} sends data out of {wanted.upper()}.")
    return found


class Converse(Wire):
    stream_type = "application/vnd.amazon.eventstream"

    def __init__(self, *, place: str, key: str = "", **values: Any) -> None:
        super().__init__(**values)
        base = f"{self._base}/model/{quote(self.model, safe='')}"
        self._whole = URL(f"{base}/converse", encoded=True)
        self._streamed = URL(f"{base}/converse-stream", encoded=True)
        self._place = place
        self._credentials: Any = None
        self._finding = asyncio.Lock()
        self._has_key = bool(key)
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    async def request(self, ask: Ask, *, streams: bool) -> Request:
        system, messages = turns(ask)
        body: dict[str, Any] = {
            "messages": [
                {"role": role, "content": [block for one in said for block in _blocks(one)]}
                for role, said in messages
            ]
        }
        if ask.tools:
            # This protocol cannot forbid the calls; whoever asks does not run them then.
            body["toolConfig"] = {"tools": [_tool(one) for one in ask.tools]}
        if ask.shape:
            schema = orjson.dumps(ask.shape.schema).decode()
            shape = {"jsonSchema": {"name": ask.shape.name, "schema": schema}}
            body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": shape}}
        if system:
            body["system"] = [{"text": system}]
        limits = {"maxTokens": ask.max_output_tokens, "temperature": ask.temperature}
        if given := {name: value for name, value in limits.items() if value is not None}:
            body["inferenceConfig"] = given
        body |= ask.options
        url, data = self._streamed if streams else self._whole, orjson.dumps(body)
        return Request(url, data, self._headers if self._has_key else await self._signed(url, data))

    def reader(self) -> Reader:
        return _Reader(self.model)

    def events(self) -> "Frames":
        return Frames()

    async def _signed(self, url: URL, body: bytes) -> Mapping[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        try:
            if self._credentials is None:
                async with self._finding:
                    if self._credentials is None:
                        self._credentials = await asyncio.to_thread(_found_credentials)
            frozen = await self._frozen()
        except BotoCoreError as error:
            raise ModelMisconfigured("The credentials of AWS cannot be renewed.") from error
        request = AWSRequest("POST", str(url), headers=dict(self._headers), data=body)
        SigV4Auth(frozen, "bedrock", self._place).add_auth(request)
        return dict(request.headers.items())

    async def _frozen(self) -> Any:
        """Those that run out are renewed over the network, and so in a thread."""
        is_due = getattr(self._credentials, "refresh_needed", None)
        if is_due is not None and is_due():
            return await asyncio.to_thread(self._credentials.get_frozen_credentials)
        return self._credentials.get_frozen_credentials()


def _found_credentials() -> Any:
    from botocore.session import get_session

    found = get_session().get_credentials()
    if found is None:
        raise ModelMisconfigured(
            "There are no credentials for AWS. docs/model-calls.md says where they are looked for."
        )
    return found


class Frames:
    """The binary events of AWS, each with its kind and two checksums."""

    def __init__(self) -> None:
        from botocore.eventstream import EventStreamBuffer

        self._buffer = EventStreamBuffer()

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        from botocore.eventstream import ParserError

        self._buffer.add_data(chunk)
        try:
            for message in self._buffer:
                yield _event(message)
        except (ParserError, ValueError, KeyError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error

    def end(self) -> Iterator[tuple[str, bytes]]:
        return iter(())


def _event(message: Any) -> tuple[str, bytes]:
    headers = message.headers
    kind = (
        headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code")
    )
    if headers.get(":message-type", "event") != "event":
        raise BrokenOff(Refusal(str(kind)[:64], "", ""), STATUSES.get(str(kind)))
    return str(kind), message.payload


def _tool(one: Offer) -> dict[str, Any]:
    return {
        "toolSpec": {
            "name": one.name,
            "description": one.description,
            "inputSchema": {"json": one.schema},
        }
    }


def _blocks(one: Message) -> Iterator[dict[str, Any]]:
    if one.result_of is not None:
        # Not all models behind it take the field that says it failed; the text says it, too.
        result = {"toolUseId": one.result_of.id, "content": [{"text": one.content or "-"}]}
        yield {"toolResult": result}
    elif one.content.strip() or not one.calls:
        yield {"text": one.content}
    for call in one.calls:
        yield {"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.parsed}}


class _Reader(Reader):
    def piece(self, event: tuple[str, bytes]) -> str:
        kind, payload = event
        said = loads(payload)
        try:
            match kind:
                case "contentBlockDelta":
                    delta = said["delta"]
                    if "toolUse" in delta:
                        self.call(said.get("contentBlockIndex"), "", delta["toolUse"]["input"])
                        return ""
                    return self._text(delta)
                case "contentBlockStart":
                    start = said.get("start") or {}
                    if use := start.get("toolUse"):
                        self.call(said.get("contentBlockIndex"), use["name"], "", use["toolUseId"])
                    self.unread |= {str(name)[:40] for name in start if name != "toolUse"}
                case "messageStop":
                    self._stopped(said["stopReason"])
                case "metadata":
                    self._count(said.get("usage"))
                    self.ended = True
        except (AttributeError, TypeError, KeyError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error
        return ""

    def whole(self, body: bytes) -> str:
        answer = loads(body)
        try:
            self._stopped(answer.get("stopReason"))
            self._count(answer.get("usage"))
            content = answer["output"]["message"]["content"]
            return "".join(self._block(one, at) for at, one in enumerate(content))
        except (AttributeError, TypeError, KeyError) as error:
            raise AnswerMalformed("The model's answer could not be read.") from error

    def _block(self, block: dict[str, Any], at: int) -> str:
        if use := block.get("toolUse"):
            given = orjson.dumps(use["input"]).decode()
            self.call(at, use["name"], given, use["toolUseId"])
            return ""
        return self._text(block)

    def _text(self, block: dict[str, Any]) -> str:
        self.unread |= {str(name)[:40] for name in block if name != "text"}
        return a_text(block.get("text") or "")

    def _stopped(self, reason: object) -> None:
        if reason:
            self.reason = REASONS.get(str(reason), str(reason)[:40])

    def _count(self, told: dict[str, Any] | None) -> None:
        told = told or {}
        cached, kept = told.get("cacheReadInputTokens", 0), told.get("cacheWriteInputTokens", 0)
        fresh, made = told.get("inputTokens"), told.get("outputTokens")
        if usage(fresh, made) and usage(cached, kept):
            self.usage = usage(sum((fresh, cached, kept)), made, cached)
