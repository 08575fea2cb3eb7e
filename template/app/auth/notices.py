"""Mails about what happened to an account. All of it as app_auth."""

from collections.abc import Sequence
from datetime import UTC
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.models import Session
from app.access.person import Person
from app.auth import opens
from app.auth.devices import device_name
from app.auth.opens import Opener
from app.auth.settings import public_url
from app.core.clock import now
from app.core.logging import client_address
from app.mail import service as mail
from app.users.models import User

STRANGE = text("SELECT is_strange(:person, :place, :browser)")


async def new_device(db: AsyncSession, email: str, name: str, user_agent: str) -> None:
    """Someone signed in from a browser that we do not know."""
    await mail.send(
        db,
        email,
        "auth/new_device",
        name=name,
        device=device_name(user_agent),
        address=client_address.get() or "unknown",
        moment=f"{now():%Y-%m-%d %H:%M} UTC",
        link=public_url("/account/security"),
    )


async def password_changed(
    db: AsyncSession, user_id: UUID, email: str, name: str
) -> Sequence[Opener]:
    """A new password ends no passkey and no key: the mail says what there is, and so do we."""
    found = await opens.all_of(db, user_id)
    await mail.send(
        db,
        email,
        "auth/password_changed",
        name=name,
        link=public_url("/forgot-password"),
        opens=[
            (one.kind, one.name, f"{one.added_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
            for one in found
        ],
        security=public_url("/account/security"),
    )
    return found


async def signed_in(
    db: AsyncSession, user_id: UUID, *, device: str | None, address: str, user_agent: str
) -> None:
    """Before a full session starts: notice the first one, and mail about a strange browser."""
    user = await db.get_one(User, user_id)
    if user.signed_in_at is None:
        await db.execute(update(User).where(User.id == user_id).values(signed_in_at=now()))
    elif device is None:
        values = {"person": user_id, "place": address[:45], "browser": user_agent[:200]}
        if await db.scalar(STRANGE, values):
            await new_device(db, user.email, user.display_name, user_agent)


async def second_step(db: AsyncSession, person: Person) -> None:
    """The same before a half-way session becomes a full one."""
    half = await db.get_one(Session, person.session_id)
    await signed_in(
        db,
        person.user_id,
        device=half.device,
        address=half.address,
        user_agent=half.user_agent,
    )
