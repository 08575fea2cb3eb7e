"""Signing up: whoever asks, the answer is the same, and the mail says the rest.

The password counts only together with the link that was mailed for it. So nobody can prepare an
account on a stranger's address: their link and their password never meet.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.roles import Role
from app.audit import service as audit
from app.auth import links, passwords
from app.auth.even_time import even_time
from app.auth.models import OneTimeLink, Password
from app.auth.settings import SignUpSettings, public_url
from app.core.clock import now
from app.core.crypto import digest
from app.core.db import transaction
from app.core.errors import Forbidden
from app.limits.service import Rate, RateLimited, take
from app.mail import service as mail
from app.users import service as users
from app.users.founding import found_for
from app.users.models import Membership, Organization, User
from app.users.schemas import domain_of

PER_ADDRESS = Rate(6, 6 * 3600, strict=True)
"""Mails to one address, whoever asks from wherever."""


class SignUpClosed(Forbidden):
    pass


@dataclass(frozen=True)
class Invited:
    """What an invitation offers, and to whom."""

    email: str
    organization: str
    role: str


@dataclass(frozen=True)
class Activated:
    user_id: UUID
    organization_id: UUID
    email: str


async def open_to_strangers() -> bool:
    """Whether someone may sign up who was not invited."""
    settings = SignUpSettings.load()
    if settings.mode != "invitation":
        return True
    # Whom would they ask for an invitation?
    return settings.first_is_admin and await _nobody_yet()


async def _nobody_yet() -> bool:
    async with transaction(elevated=True) as db:
        return not await db.scalar(select(User.id).where(User.activated_at.is_not(None)).limit(1))


async def refuse_stranger(email: str) -> None:
    """Raise `SignUpClosed` when the settings do not let this address sign up by itself."""
    settings = SignUpSettings.load()
    if not await open_to_strangers():
        raise SignUpClosed("New accounts are by invitation only; ask an administrator for one.")
    if settings.mode == "domain" and domain_of(email) not in settings.domains:
        raise SignUpClosed("Only addresses of our own organisation can sign up here.")


async def invited(token: str) -> Invited:
    """What a mailed invitation says. Raises `InvitationExpired`."""
    async with transaction(elevated=True) as db:
        found = await users.open_invitation(db, token)
        organization = await db.get_one(Organization, found.organization_id)
    return Invited(found.email, organization.name, found.role)


async def register(
    email: str, password: str, display_name: str, *, invitation: str | None = None
) -> None:
    """Mail an activation link, or tell the owner of an existing account that it exists."""
    if invitation is None:
        await refuse_stranger(email)
    passwords.check(password, email=email, name=display_name)
    hashed = await passwords.hash_password(password)
    async with even_time(), transaction(elevated=True) as db:
        # One at a time for each address: two at once would both be the first.
        await db.execute(select(func.pg_advisory_xact_lock(8081, func.hashtext(email.lower()))))
        if invitation is not None:
            await users.open_invitation(db, invitation, hold=True)
        await forget_unconfirmed(db, email)
        organization_id, role = await _place(db, email, invitation)
        try:
            await take(f"sign-up:{email.lower()}", PER_ADDRESS)
        except RateLimited:
            return  # told, it would say who signed up lately
        user = await users.by_email(db, email)
        if user is not None and user.activated_at is not None:
            await mail.send(
                db,
                user.email,
                "auth/account_exists",
                name=user.display_name,
                link=public_url("/sign-in"),
            )
            return
        if user is None:
            user = await users.add(
                db,
                email=email,
                display_name=display_name,
                organization_id=organization_id,
                role=role,
            )
        elif organization_id is not None and invitation is not None:
            # Signed up before and never confirmed: the invitation says where they belong.
            await users.place(db, user.id, organization_id=organization_id, role=role)
        token = await links.make(
            db, user.id, "activate", password_hash=hashed, display_name=display_name
        )
        # Without the name: it would let strangers write to any address through us.
        await mail.send(db, user.email, "auth/activate", link=public_url(f"/activate/{token}"))
        await audit.record(
            db, "account.registered", organization_id=organization_id, user_id=user.id
        )


async def forget_unconfirmed(db: AsyncSession, email: str | None = None) -> None:
    """Delete accounts that nobody confirmed in time, and with them the role that was offered.

    Who was suspended meanwhile does not come back by this way.
    """
    usable = select(OneTimeLink.id).where(
        OneTimeLink.user_id == User.id,
        OneTimeLink.purpose == "activate",
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > now(),
    )
    suspended = select(Membership.id).where(
        Membership.user_id == User.id, Membership.suspended_at.is_not(None)
    )
    unconfirmed = delete(User).where(
        User.activated_at.is_(None), ~usable.exists(), ~suspended.exists()
    )
    if email is not None:
        unconfirmed = unconfirmed.where(func.lower(User.email) == email.lower())
    await db.execute(unconfirmed)


async def _place(db: AsyncSession, email: str, invitation: str | None) -> tuple[UUID | None, str]:
    """The organisation and role a new account gets; one of its own comes with activation."""
    if invitation is not None:
        invited = await users.open_invitation(db, invitation)
        if invited.email.lower() != email.lower():
            raise SignUpClosed("This invitation is for another mail address.")
        return invited.organization_id, invited.role
    return await shared_organization(db), Role.MEMBER


async def shared_organization(db: AsyncSession) -> UUID | None:
    """Where strangers join; None where `settle` gives each an organisation of their own."""
    if SignUpSettings.load().organization == "own":
        return None
    return (await users.the_organization(db)).id


async def activate(token: str, password: str) -> Activated:
    """Confirm the mail address; needs the link and the password that was chosen with it.

    Raises `links.LinkExpired`, or `passwords.WrongPassword`, which leaves the link usable.
    """
    async with transaction(elevated=True) as db:
        hashed = await db.scalar(
            select(OneTimeLink.password_hash).where(
                OneTimeLink.token_digest == digest(token),
                OneTimeLink.purpose == "activate",
                OneTimeLink.used_at.is_(None),
                OneTimeLink.expires_at > now(),
            )
        )
    if hashed is None:
        raise links.LinkExpired
    good, _ = await passwords.verify(password, hashed)
    if not good:
        raise passwords.WrongPassword("This is not the password that you chose when you signed up.")
    async with transaction(elevated=True) as db:
        link = await links.use(db, token, "activate")
        await links.end_all(db, link.user_id, "activate")
        user = await db.get_one(User, link.user_id)
        user.activated_at = now()
        user.display_name = link.display_name or user.display_name
        db.add(Password(user_id=user.id, hash=hashed))
        organization_id = await settle(db, user)
        await audit.record(
            db, "account.activated", organization_id=organization_id, user_id=user.id
        )
    return Activated(link.user_id, organization_id, user.email)


async def settle(db: AsyncSession, user: User) -> UUID:
    """The organisation of someone whose address is confirmed now: a place, or one of their own."""
    if SignUpSettings.load().first_is_admin and await _is_the_first(db, user):
        return await _hand_the_app_to(db, user)
    organization_id: UUID | None = await db.scalar(
        select(Membership.organization_id).where(Membership.user_id == user.id)
    )
    if organization_id is None:
        # Whoever was invited had a place, and without it no account, see `users.service`.
        organization_id = (await found_for(db, user)).id
    await users.accept_invitations(db, user.email, organization_id)
    return organization_id


async def _is_the_first(db: AsyncSession, user: User) -> bool:
    """Who mistyped the address, and confirmed nothing, stands in nobody's way."""
    # One at a time, or two people at once would both be the first.
    await db.execute(text("SELECT pg_advisory_xact_lock(8080, 1)"))
    others = select(User.id).where(User.activated_at.is_not(None), User.id != user.id)
    return not await db.scalar(others.limit(1))


async def _hand_the_app_to(db: AsyncSession, user: User) -> UUID:
    """The place that `app create-admin` gives: an organisation of their own runs nothing."""
    organization = await users.the_organization(db)
    await users.make_admin(db, user.id, organization.id)
    if SignUpSettings.load().organization == "own" and organization.owner_id is None:
        organization.owner_id = user.id
    return organization.id
