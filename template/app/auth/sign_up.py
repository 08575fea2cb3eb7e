"""Signing up: whoever asks, the answer is the same, and the mail says the rest.

The password counts only together with the link that was mailed for it. So nobody can prepare an
account on a stranger's address: their link and their password never meet.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.auth import links, passwords
from app.auth.models import OneTimeLink, Password
from app.auth.settings import SignUpSettings, public_url
from app.core.clock import now
from app.core.crypto import digest
from app.core.db import transaction
from app.core.errors import Forbidden
from app.mail import service as mail
from app.users import service as users
from app.users.models import Membership, Organization, Role, User


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


def refuse_stranger(email: str) -> None:
    """Raise `SignUpClosed` when the settings do not let this address sign up by itself."""
    settings = SignUpSettings.load()
    if settings.mode == "invitation":
        raise SignUpClosed("New accounts are by invitation only; ask an administrator for one.")
    domain = email.rpartition("@")[2].casefold()
    if settings.mode == "domain" and domain not in {one.casefold() for one in settings.domains}:
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
        refuse_stranger(email)
    passwords.check(password, email=email, name=display_name)
    hashed = await passwords.hash_password(password)
    async with transaction(elevated=True) as db:
        organization_id, role = await _place(db, email, invitation)
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
        else:
            user.display_name = display_name
            if invitation is not None:
                # Signed up before and never confirmed: the invitation says where they belong.
                await users.place(db, user.id, organization_id=organization_id, role=role)
        token = await links.make(db, user.id, "activate", password_hash=hashed)
        await mail.send(
            db,
            email,
            "auth/activate",
            name=display_name,
            link=public_url(f"/activate/{token}"),
        )
        await audit.record(
            db, "account.registered", organization_id=organization_id, user_id=user.id
        )


async def _place(db: AsyncSession, email: str, invitation: str | None) -> tuple[UUID, str]:
    """The organisation and role a new account gets."""
    if invitation is not None:
        invited = await users.open_invitation(db, invitation)
        if invited.email.casefold() != email.casefold():
            raise SignUpClosed("This invitation is for another mail address.")
        return invited.organization_id, invited.role
    organization = await users.the_organization(db)
    role = Role.MEMBER
    if SignUpSettings.load().first_is_admin:
        # One at a time, or two people at once would both be the first.
        await db.execute(text("SELECT pg_advisory_xact_lock(8080, 1)"))
        if not await db.scalar(select(func.count()).select_from(User)):
            role = Role.ADMIN
    return organization.id, role


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
        db.add(Password(user_id=user.id, hash=hashed))
        await users.accept_invitations(db, user.email)
        organization_id = await db.scalar(
            select(Membership.organization_id).where(Membership.user_id == user.id)
        )
        if organization_id is None:
            raise links.LinkExpired
        await audit.record(
            db, "account.activated", organization_id=organization_id, user_id=user.id
        )
    return Activated(link.user_id, organization_id, user.email)
