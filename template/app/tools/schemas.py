from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from app.tools.service import Shown, state_of


class Approval(BaseModel):
    """Something that a model wants to do in someone's name."""

    id: UUID
    tool: str
    title: str
    arguments: dict[str, Any]
    asker: str
    state: str
    """waiting, running, done, failed, declined or expired."""
    reason: str
    fingerprint: str
    """Send it back to approve: it stands for exactly this."""
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decider: str | None

    @classmethod
    def of(cls, one: Shown) -> "Approval":
        row = one.row
        return cls(
            id=row.id,
            tool=row.tool,
            title=one.title,
            arguments=row.arguments,
            asker=one.asker,
            state=state_of(row),
            reason=row.reason,
            fingerprint=row.fingerprint,
            created_at=row.created_at,
            expires_at=row.expires_at,
            decided_at=row.decided_at,
            decider=one.decider,
        )


class ApprovalsPage(BaseModel):
    approvals: list[Approval]
    next: UUID | None = Field(description="Pass it as `before` for the page of older ones.")


class Seen(BaseModel):
    fingerprint: str = Field(min_length=64, max_length=64)


class Decided(BaseModel):
    state: str
    """done, failed or refused."""
    reason: str
