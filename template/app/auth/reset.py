"""A new password for someone who lost the old one."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.access import service as sessions
from app.audit import service as audit
from app.auth import links, notices, opens, passwords, second_factors
from app.auth.even_time import even_time
from app.auth.models import Password
from app.auth.opens import Opener
from app.auth.settings import public_url
from app.core.db import transaction
from app.limits import lockout
from app.limits.service import Rate, RateLimited, left, take
from app.mail import service as mail
from app.users import service as users
from app.users.models import User

PER_ACCOUNT = Rate(5, 86_400, strict=True)


async def request(email: str, device: str | None = None) -> None:
    """Mail a link when there is an account; whoever asks learns nothing.

    A known device has a budget of its own, so that strangers cannot use up the owner's.
    """
    async with even_time():
        await _request(email, await lockout.known(email, device))


async def _request(email: str, device: str | None) -> None:
    async with transaction(elevated=True) as db:
        user = await users.by_email(db, email)
        if user is None or user.activated_at is None:
            return
        try:
            key = f"reset:{user.id}:{lockout.device_name(email, device)}"
            await take(key, PER_ACCOUNT)
        except RateLimited:
            return  # told, it would say that there is an account
        # Held, so that no link goes to an address that is given up at this moment.
        held = select(User.email).where(User.id == user.id).with_for_update(read=True)
        if await db.scalar(held) != user.email:
            return
        token = await links.make(db, user.id, "reset")
        await mail.send(
            db,
            user.email,
            "auth/reset_password",
            name=user.display_name,
            link=public_url(f"/reset-password/{token}"),
            last=not await left(key, PER_ACCOUNT),
        )
        await audit.record(
            db,
            "password.reset_requested",
            organization_id=await users.organization_of(db, user.id),
            user_id=user.id,
        )


async def about(token: str) -> tuple[str, bool]:
    """The address that a link went to, and whether programs have keys. Raises `LinkExpired`."""
    async with transaction(elevated=True) as db:
        user = await links.owner(db, token, "reset")
        return user.email, any(one.for_programs for one in await opens.all_of(db, user.id))


async def finish(token: str, password: str, *, end_api_keys: bool = False) -> Sequence[Opener]:
    """Set the new password, end every session and know no device any more.

    A second factor still is asked for. Gives what opens the account beside the password.
    """
    async with transaction(elevated=True) as db:
        user = await links.owner(db, token, "reset")
    passwords.check(password, email=user.email, name=user.display_name)
    hashed = await passwords.hash_password(password)
    async with transaction(elevated=True) as db:
        # Held, so that the address which the link was mailed to is not given up at this moment.
        await second_factors.one_at_a_time(db, user.id)
        link = await links.use(db, token, "reset")
        # Who came by another way of signing in has none so far.
        await db.execute(
            insert(Password)
            .values(user_id=link.user_id, hash=hashed)
            .on_conflict_do_update(index_elements=[Password.user_id], set_={"hash": hashed})
        )
        await sessions.end_all(db, link.user_id)
        if end_api_keys:
            await opens.end_programs(db, link.user_id)
        await lockout.forget_devices(db, user.email)
        await audit.record(
            db,
            "password.reset",
            organization_id=await users.organization_of(db, link.user_id),
            user_id=link.user_id,
        )
        return await notices.password_changed(db, user.id, user.email, user.display_name)
