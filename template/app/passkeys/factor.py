from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.second_factors import Factor
from app.passkeys.models import Passkey

FACTOR = Factor(
    kind="passkey",
    label="Passkey",
    description="Your fingerprint, face or screen lock, or a security key.",
    sign_in_path="/sign-in/second-factor/passkey",
    settings_path="/account/security/passkeys",
    order=10,
)


async def forget(db: AsyncSession, user_id: UUID) -> None:
    await db.execute(delete(Passkey).where(Passkey.user_id == user_id))
