"""A provider's fine-tuning, over OpenAI's wire: files and fine_tuning/jobs."""

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from app.core import outbound
from app.core.outbound import OutboundFailed
from app.monitoring.settings import TuningSettings

SECONDS = 60.0
OVER = {"succeeded", "failed", "cancelled"}


class TuningRefused(Exception):
    """The provider does not take it; asking again does not help. Its words are not passed on."""


@dataclass(frozen=True, slots=True)
class Training:
    """A job at the provider."""

    id: str
    status: str
    model: str
    """What came of it, once it has succeeded."""
    tokens: int


async def upload(name: str, content: bytes) -> str:
    """Give the provider a file to train on; its id there. Raises also `OutboundFailed`."""
    mark = secrets.token_hex(16)
    body = (
        f'--{mark}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    ).encode() + content
    found = await _ask(
        "POST",
        "/files",
        body=body + f"\r\n--{mark}--\r\n".encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={mark}"},
    )
    return _text(found, "id")


async def find(decision_id: UUID) -> Training | None:
    """The job that was started for this decision, among the newest."""
    known = await _ask("GET", "/fine_tuning/jobs?limit=50")
    for one in known.get("data") or []:
        if (one.get("metadata") or {}).get("decision") == str(decision_id):
            return _training(one)
    return None


async def begin(decision_id: UUID, training_file: str, validation_file: str) -> Training:
    """Start a job."""
    wanted: dict[str, Any] = {
        "model": TuningSettings.load().model,
        "training_file": training_file,
        "metadata": {"decision": str(decision_id)},
    }
    if validation_file:
        wanted["validation_file"] = validation_file
    return _training(await _ask("POST", "/fine_tuning/jobs", content=wanted))


async def look(job: str) -> Training:
    return _training(await _ask("GET", f"/fine_tuning/jobs/{quote(job, safe='')}"))


async def remove(file: str) -> None:
    """Nothing stays with the provider that is not needed there; it may be gone already."""
    await _ask("DELETE", f"/files/{quote(file, safe='')}", fine=404)


async def _ask(method: str, path: str, *, fine: int = 200, **more: Any) -> dict[str, Any]:
    settings = TuningSettings.load()
    headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    answer = await outbound.request(
        method,
        settings.base_url.rstrip("/") + path,
        of=settings,
        seconds=SECONDS,
        headers=headers | more.pop("headers", {}),
        **more,
    )
    if answer.status in {408, 409, 429} or answer.status >= 500:
        raise OutboundFailed(f"status {answer.status}")
    if answer.status == fine == 404:
        return {}
    if answer.status >= 300:
        raise TuningRefused(f"The provider refused it with status {answer.status}.")
    found = answer.json()
    if not isinstance(found, dict):
        raise OutboundFailed("not an object")
    return found


def _training(found: dict[str, Any]) -> Training:
    tokens = found.get("trained_tokens")
    return Training(
        _text(found, "id"),
        str(found.get("status") or "")[:40],
        str(found.get("fine_tuned_model") or "")[:200],
        tokens if type(tokens) is int and tokens >= 0 else 0,
    )


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise OutboundFailed(f"no {name}")
    return value
