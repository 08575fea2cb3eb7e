"""Google's `generateContent`, at its API for developers and at Vertex AI."""

from functools import cache
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.llm.behaviour import Behaviour, Received
from tests.llm.dialects import sse

KEY = "AIza" + "SyT4xkQ29fLmZ7vWc8RbN3yHs6Jd1GabcDE"
PROVIDERS = {
    "google": {"API_KEY": KEY, "MODEL": "m", "BASE_URL": "{url}/v1beta"},
    "vertex": {"PROJECT": "shop", "LOCATION": "eu", "MODEL": "m", "BASE_URL": "{url}/v1"},
}
REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
INFO = "type.googleapis.com/google.rpc."


def error(code: int, status: str, message: str = "secret details", **detail: str) -> dict[str, Any]:
    told = {"code": code, "message": message, "status": status}
    return {"error": told | ({"details": [detail]} if detail else {})}


REFUSALS: dict[str, tuple[int, dict[str, str], Any]] = {
    # Google says how long to wait in the body.
    "throttled": (
        429,
        {},
        error(429, "RESOURCE_EXHAUSTED", **{"@type": f"{INFO}RetryInfo", "retryDelay": "6.2s"}),
    ),
    "down": (500, {}, error(500, "INTERNAL")),
    "busy": (503, {}, [error(503, "UNAVAILABLE")]),
    "no json": (502, {}, b"<html>Bad gateway</html>"),
    "wrong key": (
        400,
        {},
        error(
            400,
            "INVALID_ARGUMENT",
            f"API key not valid: {KEY}",
            **{"@type": f"{INFO}ErrorInfo", "reason": "API_KEY_INVALID"},
        ),
    ),
    "unknown model": (404, {}, error(404, "NOT_FOUND", "models/m is not found")),
    "too long": (
        400,
        {},
        error(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number (8)."),
    ),
    "filtered": (200, {}, {"promptFeedback": {"blockReason": "SAFETY"}}),
    "refused": (400, {}, error(400, "INVALID_ARGUMENT", "Unknown name")),
}


TOKEN = "ya29.c.b0AXv0zTOQ"


@cache
def private_key() -> str:
    """One for all tests, and a small one: to make or only to load a large one takes longer than
    most of them."""
    key = rsa.generate_private_key(65537, 1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def account(folder: Path, url: str) -> dict[str, str]:
    """A service account's file, and the environment that names it."""
    file = folder / "account.json"
    told = {
        "type": "service_account",
        "client_email": "app@shop.iam.gserviceaccount.com",
        "private_key": private_key(),
        "token_uri": f"{url}/token",
        "project_id": "shop",
    }
    file.write_bytes(orjson.dumps(told))
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}


class Dialect:
    def aside(self, request: Received) -> bytes | None:
        """Gives out tokens for Vertex."""
        if request.path != "/token":
            return None
        assert b"assertion=" in request.raw
        return orjson.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    stream_type = "text/event-stream"
    garbage = b'data: {"candidates": [{"cont\n\n'

    writes_arguments = False

    def streams(self, request: Received) -> bool:
        return ":streamGenerateContent?alt=sse" in request.path

    def opening(self, wanted: Behaviour, request: Received) -> list[bytes]:
        return [sse(wanted.error)] if wanted.error else []

    def word(self, wanted: Behaviour, request: Received, number: int, word: str) -> bytes:
        return sse(self._chunk(request, word))

    def calls(self, wanted: Behaviour, request: Received) -> list[bytes]:
        return [
            sse({"candidates": [{"content": {"role": "model", "parts": [part]}}]})
            for part in self._called(wanted)
        ]

    def _called(self, wanted: Behaviour) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = [
            {"functionCall": {"name": name, "args": orjson.loads(given)}}
            for name, given in wanted.calls
        ]
        if parts:  # Only the first of those at once has one.
            parts[0]["thoughtSignature"] = "c2lnbmVk"
        return parts

    def ending(self, wanted: Behaviour, request: Received) -> list[bytes]:
        # No mark at the end: who gives no reason has been cut.
        last = self._chunk(request, "", wanted.finish)
        last["candidates"][0]["avgLogprobs"] = wanted.logprob
        if wanted.counts:
            last["usageMetadata"] = self._usage(wanted.counts)
        return [sse(last)]

    def broken(self, wanted: Behaviour) -> bytes:
        return sse(error(503, wanted.error_kind or "UNAVAILABLE"))

    def whole(self, wanted: Behaviour, request: Received) -> Any:
        answer = self._chunk(request, "".join(wanted.words), wanted.finish)
        answer["candidates"][0]["content"]["parts"] += self._called(wanted)
        answer["candidates"][0]["avgLogprobs"] = wanted.logprob
        if wanted.counts:
            answer["usageMetadata"] = self._usage(wanted.counts)
        return answer

    def _chunk(self, request: Received, text: str, finish: str | None = None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}}
        if finish:
            candidate["finishReason"] = REASONS.get(finish, finish)
        return {"candidates": [candidate], "modelVersion": "m"}

    def _usage(self, counts: tuple[Any, Any]) -> dict[str, Any]:
        given, made = counts
        return {"promptTokenCount": given, "candidatesTokenCount": made}
