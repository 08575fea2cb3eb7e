"""Tools of an answer, with what became by now of those that waited for approval."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.assistant.models import Message
from app.tools import service as approvals

Uses = dict[UUID, list[dict[str, Any]]]


async def as_of_now(db: AsyncSession, person: Person, said: Sequence[Message]) -> Uses:
    """By message."""
    told = {one.id: list(one.details.get("tools", [])) for one in said}
    ids = [id_ for uses in told.values() for use in uses if (id_ := _approval(use))]
    known = await approvals.outcomes(db, person, ids)
    return {message: [_now(use, known) for use in uses] for message, uses in told.items() if uses}


def _now(use: dict[str, Any], known: Mapping[UUID, dict[str, str]]) -> dict[str, Any]:
    id_ = _approval(use)
    return use | known.get(id_, {}) if id_ else use


def _approval(use: dict[str, Any]) -> UUID | None:
    return UUID(use["approval_id"]) if "approval_id" in use else None
