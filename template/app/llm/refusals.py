"""What a provider's refusal means for us. Its own words are never passed on: they may quote."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from app.core.clock import now
from app.core.errors import Problem
from app.llm.errors import (
    ContentRefused,
    ContextTooLong,
    KeyRefused,
    ModelDown,
    ModelQuotaSpent,
    ModelThrottled,
    ModelUnavailable,
    ModelUnknown,
    RequestRefused,
)

LONGEST_WAIT = 3600.0
CODE = re.compile(r"[\w.-]{1,64}")
TOO_LONG = re.compile(
    r"context[ _]?(length|window|size)|maximum (context|input)|prompt is too long|too many tokens"
    r"|input token count|input is too long",
    re.IGNORECASE,
)

UNKNOWN = re.compile(r"model identifier is invalid", re.IGNORECASE)
NO_MONEY = {"insufficient_quota", "billing_error"}
NO_CREDIT = re.compile(r"credit balance is too low", re.IGNORECASE)
# They say that it did not work this time, not that the request is wrong.
BUSY = {408, 409, 424, 425}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The parts of an error body that decide; each may be empty."""

    code: str
    kind: str
    message: str
    wait: float | None = None
    """Seconds to wait, where the body says it and not a header."""

    @property
    def loggable_code(self) -> str:
        return next((one for one in (self.code, self.kind) if CODE.fullmatch(one)), "")


def parsed(body: bytes, headers: Mapping[str, str] | None = None) -> Refusal:
    """Read `{"error": {...}}`, `{"error": "..."}`, `{"message": "..."}`, or what else there is.

    AWS names the error in a header.
    """
    try:
        said = refusal(orjson.loads(body))
    except orjson.JSONDecodeError:
        said = Refusal("", "", "")
    if named := (headers or {}).get("x-amzn-ErrorType"):
        return replace(said, code=named.partition(":")[0])
    return said


def refusal(said: Any) -> Refusal:
    """What a body, or an event in a stream, says went wrong."""
    if isinstance(said, list) and said:
        said = said[0]
    error = said.get("error", said) if isinstance(said, dict) else said
    if not isinstance(error, dict):
        return Refusal("", "", error if isinstance(error, str) else "")
    texts = (
        error.get("code"),
        error.get("type") or error.get("status"),
        error.get("message") or error.get("detail"),
    )
    code, kind, message = (str(text) if text is not None else "" for text in texts)
    reason, wait = _details(error.get("details"))
    return Refusal(reason or code, kind, message[:2000], wait)


def _details(told: Any) -> tuple[str, float | None]:
    """Google's details: the reason of an error, and how long to wait."""
    reason, wait = "", None
    for one in told if isinstance(told, list) else ():
        if isinstance(one, dict):
            reason = reason or str(one.get("reason") or "")
            delay = one.get("retryDelay")
            if isinstance(delay, str) and (seconds := _number(delay.removesuffix("s"))) is not None:
                wait = min(seconds, LONGEST_WAIT)
    return reason, wait


def problem(
    said: Refusal,
    status: int,
    headers: Mapping[str, str],
    *,
    key_setting: str = "LLM_API_KEY",
    settings_prefix: str = "LLM_",
) -> Problem:
    """The problem to raise for an answer with this status."""
    wait = retry_after(headers)
    wait = said.wait if wait is None else wait
    words = {said.code, said.kind}
    if NO_MONEY & words or status == 402 or NO_CREDIT.search(said.message):
        return ModelQuotaSpent("The account at the model provider has no money left.")
    # LiteLLM without a database answers an unknown key like this.
    if (
        status in {401, 403}
        or "API_KEY_INVALID" in words
        or (status == 400 and "No connected db" in said.message)
    ):
        return KeyRefused(f"The model provider refused the key. Check {key_setting}.")
    if status == 429:
        return _with_wait(ModelThrottled("The model provider asks us to slow down."), wait)
    if status == 404 or "model_not_found" in words or UNKNOWN.search(said.message):
        return ModelUnknown(
            "The provider does not know this model or address."
            f" Check {settings_prefix}MODEL and {settings_prefix}BASE_URL."
        )
    if words & {"content_filter", "content_policy_violation"}:
        return ContentRefused("The model provider's content filter refused this question.")
    if status == 413 or "context_length_exceeded" in words or TOO_LONG.search(said.message):
        return ContextTooLong("This conversation is too long for the model.")
    if 400 <= status < 500 and status not in BUSY:
        return RequestRefused(
            f"The model provider does not accept the request. Check {settings_prefix}MODEL: it may"
            " not take every option that is sent."
        )
    return _with_wait(ModelDown("The model provider has a problem. Please try again."), wait)


def _with_wait(found: ModelUnavailable, wait: float | None) -> ModelUnavailable:
    found.wait = wait
    if wait:
        found.headers["Retry-After"] = str(max(1, round(wait)))
    return found


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `Retry-After` as number or date."""
    if (ms := _number(headers.get("retry-after-ms"))) is not None:
        return min(ms / 1000, LONGEST_WAIT)
    told = headers.get("Retry-After")
    if (seconds := _number(told)) is not None:
        return min(seconds, LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(told or "")
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - now()).total_seconds()), LONGEST_WAIT)


def _number(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text.strip()) else None
