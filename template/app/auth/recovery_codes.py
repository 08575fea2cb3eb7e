"""Ten codes for the day when no second factor is at hand. All of it as app_auth."""

import secrets
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import RecoveryCode
from app.core.clock import now
from app.core.crypto import keyed_digest

CODES = 10


async def make(db: AsyncSession, user_id: UUID) -> list[str]:
    """New codes in place of the old ones; we keep their digests."""
    await forget(db, user_id)
    codes = [_new_code() for _ in range(CODES)]
    db.add_all(RecoveryCode(user_id=user_id, digest=_digest(user_id, one)) for one in codes)
    return codes


async def use(db: AsyncSession, user_id: UUID, code: str) -> bool:
    """Use a code up; of many at once exactly one succeeds."""
    used = await db.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.digest == _digest(user_id, code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now())
        .returning(RecoveryCode.id)
    )
    return used is not None


async def left(db: AsyncSession, user_id: UUID) -> int:
    unused = select(func.count()).where(
        RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    )
    return await db.scalar(unused) or 0


async def forget(db: AsyncSession, user_id: UUID) -> None:
    await db.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _new_code() -> str:
    """120 bits, in groups that can be read from paper."""
    letters = "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(24))
    return "-".join(letters[i : i + 6] for i in range(0, 24, 6))


def _digest(user_id: UUID, code: str) -> bytes:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return keyed_digest(f"{user_id}:{plain}", "recovery code")
