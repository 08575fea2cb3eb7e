"""What opens an account beside its password, or is asked for with it.

Whoever was in an account may have added some of it, and a new password leaves all of it: so its
owner sees the list. A module that keeps such things has a file `opens.py`, which gives those of a
person as app_auth, and may end those that nobody needs to sign in:

    async def of(db, user_id) -> list[Opener]
    async def end(db, user_id) -> None
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import RecoveryCode, TotpDevice
from app.modules import parts


@dataclass(frozen=True)
class Opener:
    """What a person sees of it. Never a secret."""

    kind: str
    name: str
    """What its owner called it, or what tells it from others; may be empty."""
    added_at: datetime
    """When it, or the secret that it has now, was made."""
    page: str
    """Where it is removed."""
    for_programs: bool = False
    organization_id: UUID | None = None
    """In which organisation it opens anything; None: the whole account."""

    def seen_in(self, organization_id: UUID) -> "Opener":
        """Who works in one organisation sees nothing that was written in another."""
        if self.organization_id in {None, organization_id}:
            return self
        return replace(self, name="In another organisation")


async def all_of(db: AsyncSession, user_id: UUID) -> Sequence[Opener]:
    """Everything, the newest first. As app_auth."""
    found = [one for part in parts("opens") for one in await part.of(db, user_id)]
    return sorted(found, key=lambda one: one.added_at, reverse=True)


async def end_programs(db: AsyncSession, user_id: UUID) -> None:
    """End what opens the account to programs. As app_auth."""
    for part in parts("opens"):
        if hasattr(part, "end"):
            await part.end(db, user_id)


async def of(db: AsyncSession, user_id: UUID) -> list[Opener]:
    """The authenticator app, and the recovery codes that are left."""
    page = "/account/security"
    app = await db.scalar(
        select(TotpDevice.confirmed_at).where(
            TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_not(None)
        )
    )
    left, made = (
        await db.execute(
            select(func.count(), func.max(RecoveryCode.created_at)).where(
                RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
            )
        )
    ).one()
    found = [Opener("Authenticator app", "", app, page)] if app else []
    return [*found, Opener("Recovery codes", f"{left} left", made, page)] if left else found
