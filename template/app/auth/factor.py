"""The second factor that is always offered."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.models import TotpDevice
from app.auth.second_factors import Factor

FACTOR = Factor(
    kind="totp",
    label="Authenticator app",
    description="Any app for one-time codes works.",
    sign_in_path="/sign-in/second-factor?method=totp",
    settings_path="/account/security/authenticator",
    remove_path="/account/security/authenticator/remove",
    order=20,
)


async def forget(db: AsyncSession, user_id: UUID) -> None:
    await db.execute(delete(TotpDevice).where(TotpDevice.user_id == user_id))
