"""Amazon's Converse: signed requests, and a stream of binary frames."""

import hashlib
import hmac
import re
import struct
from typing import Any
from urllib.parse import quote
from zlib import crc32

import orjson

from tests.llm.behaviour import Behaviour, Received
from tests.llm.dialects import pieces

PROVIDERS = {
    "bedrock": {"LOCATION": "eu-central-1", "MODEL": "eu.maker.m-v1:0", "BASE_URL": "{url}"}
}
ACCESS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-K7MDENG"}
REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "guardrail_intervened",
    "tool_calls": "tool_use",
}


def named(error: str) -> dict[str, str]:
    return {"x-amzn-ErrorType": f"{error}:http://internal.amazon.com/coral/"}


REFUSALS: dict[str, tuple[int, dict[str, str], Any]] = {
    "throttled": (429, named("ThrottlingException") | {"Retry-After": "7"}, {"message": "Slower"}),
    "down": (500, named("InternalServerException"), {"message": "secret details"}),
    "busy": (503, named("ServiceUnavailableException"), {"message": "secret details"}),
    "no json": (502, {}, b"<html>Bad gateway</html>"),
    "wrong key": (403, named("UnrecognizedClientException"), {"message": "The token is invalid."}),
    "unknown model": (
        400,
        named("ValidationException"),
        {"message": "The provided model identifier is invalid."},
    ),
    "too long": (
        400,
        named("ValidationException"),
        {"message": "Input is too long for requested model."},
    ),
    "refused": (400, named("ValidationException"), {"message": "Malformed input request"}),
}


def is_signed(request: Received, secret: str, region: str) -> bool:
    """Signature Version 4, computed as AWS describes it."""
    told = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<scope>[^,]+),"
        r" SignedHeaders=(?P<names>[^,]+), Signature=(?P<signature>[0-9a-f]{64})",
        request.headers.get("authorization", ""),
    )
    if told is None:
        return False
    names = told["names"].split(";")
    assert {"host", "x-amz-date"} <= set(names)
    canonical = "\n".join(
        [
            "POST",
            quote(request.path, safe="/-_.~"),
            "",
            *(f"{name}:{request.headers[name]}" for name in names),
            "",
            told["names"],
            hashlib.sha256(request.raw).hexdigest(),
        ]
    )
    moment = request.headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/bedrock/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    wanted = hmac.new(key, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}".encode(), "sha256")
    return told["scope"] == scope and hmac.compare_digest(wanted.hexdigest(), told["signature"])


def frame(payload: Any, kind: str, message_type: str = "event") -> bytes:
    body = orjson.dumps(payload)
    told = "exception-type" if message_type == "exception" else "event-type"
    headers = b"".join(
        bytes([len(name)])
        + name.encode()
        + b"\x07"
        + struct.pack(">H", len(value))
        + value.encode()
        for name, value in (
            (f":{told}", kind),
            (":content-type", "application/json"),
            (":message-type", message_type),
        )
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


class Dialect:
    stream_type = "application/vnd.amazon.eventstream"
    # A frame whose second checksum is wrong.
    garbage = frame({"delta": {"text": "wrong"}}, "contentBlockDelta")[:-1] + b"\x00"

    writes_arguments = True

    def streams(self, request: Received) -> bool:
        return request.path.endswith("/converse-stream")

    def opening(self, wanted: Behaviour, request: Received) -> list[bytes]:
        return [frame({"role": "assistant", "p": "abc"}, "messageStart")]

    def word(self, wanted: Behaviour, request: Received, number: int, word: str) -> bytes:
        return frame({"contentBlockIndex": 0, "delta": {"text": word}}, "contentBlockDelta")

    def calls(self, wanted: Behaviour, request: Received) -> list[bytes]:
        found = []
        for at, (name, arguments) in enumerate(wanted.calls, 1):
            place = {"contentBlockIndex": at}
            start = {"toolUse": {"toolUseId": f"tooluse_{at}", "name": name}}
            found.append(frame(place | {"start": start}, "contentBlockStart"))
            found += [
                frame(place | {"delta": {"toolUse": {"input": piece}}}, "contentBlockDelta")
                for piece in pieces(arguments)
            ]
            found.append(frame(place, "contentBlockStop"))
        return found

    def ending(self, wanted: Behaviour, request: Received) -> list[bytes]:
        found = [frame({"contentBlockIndex": 0}, "contentBlockStop")]
        if wanted.finish:
            reason = REASONS.get(wanted.finish, wanted.finish)
            found.append(frame({"stopReason": reason}, "messageStop"))
        if wanted.done:
            told: dict[str, Any] = {"metrics": {"latencyMs": 9}}
            if wanted.counts:
                told["usage"] = self._usage(wanted.counts)
            found.append(frame(told, "metadata"))
        return found

    def broken(self, wanted: Behaviour) -> bytes:
        kind = wanted.error_kind or "serviceUnavailableException"
        return frame({"message": "secret details"}, kind, "exception")

    def whole(self, wanted: Behaviour, request: Received) -> Any:
        content: list[dict[str, Any]] = [{"text": "".join(wanted.words)}]
        for at, (name, given) in enumerate(wanted.calls):
            use = {"toolUseId": f"tooluse_{at}", "name": name, "input": orjson.loads(given)}
            content.append({"toolUse": use})
        message = {"role": "assistant", "content": content}
        answer = {
            "output": {"message": message},
            "stopReason": REASONS.get(wanted.finish or "", wanted.finish),
        }
        return answer | ({"usage": self._usage(wanted.counts)} if wanted.counts else {})

    def _usage(self, counts: tuple[Any, Any]) -> dict[str, Any]:
        given, made = counts
        return {"inputTokens": given, "outputTokens": made}
