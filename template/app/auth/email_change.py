"""Another mail address for an account. It counts once its owner has confirmed it, signed in.

Signed in, because the link alone may have gone to a mistyped address: whoever reads that mailbox
must not get the account with it.
"""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.person import Person
from app.audit import service as audit
from app.auth import links
from app.auth.even_time import even_time
from app.auth.models import OneTimeLink
from app.auth.settings import SignUpSettings, public_url
from app.core.db import transaction
from app.core.errors import Conflict, Invalid, NotFound
from app.limits import lockout
from app.limits.service import Rate, take
from app.mail import service as mail
from app.users import policies
from app.users import service as users
from app.users.models import Membership, User
from app.users.schemas import domain_of

PURPOSE = "email"
PER_PERSON = Rate(5, 86_400, strict=True)


class SameAddress(Invalid):
    def __init__(self) -> None:
        detail = "This is your address already."
        super().__init__(detail, errors={"email": detail})


class DomainClosed(Invalid):
    def __init__(self) -> None:
        detail = "Addresses at this domain are not accepted here."
        super().__init__(detail, errors={"email": detail})


class AddressTaken(Conflict):
    pass


@dataclass(frozen=True)
class Changed:
    """The session's new token, and the token of a device that the new address knows."""

    token: str = field(repr=False)
    device: str = field(repr=False)


async def request(person: Person, email: str) -> None:
    """Mail a link to the new address and a notice to the old one.

    Whether the new one has an account, nobody is told but its owner.
    """
    settings = SignUpSettings.load()
    if email.lower() == person.email.lower():
        raise SameAddress
    if settings.mode == "domain" and domain_of(email) not in settings.domains:
        raise DomainClosed
    mail.sendable(email)
    await take(f"email-change:{person.user_id}", PER_PERSON)
    async with even_time(), transaction(elevated=True) as db:
        for organization_id in await _organizations(db, person):
            await policies.refuse_address(db, organization_id, email)
        taken = await users.by_email(db, email)
        token = await links.make(db, person.user_id, PURPOSE, email=email)
        if taken is not None and taken.activated_at is not None:
            await mail.send(
                db, taken.email, "auth/email_has_account", name=taken.display_name,
                link=public_url("/sign-in"),
            )  # fmt: skip
        else:
            await mail.send(
                db, email, "auth/email_confirm", name=person.display_name,
                link=public_url(f"/account/email/confirm/{token}"),
            )  # fmt: skip
        await mail.send(
            db, person.email, "auth/email_change_begun", name=person.display_name,
            link=public_url("/account/security"),
        )  # fmt: skip
        await audit.record(db, "email.change_requested", person=person)


async def pending(person: Person) -> OneTimeLink | None:
    """The change that waits for its confirmation; `email` is the new address."""
    async with transaction(elevated=True) as db:
        found: OneTimeLink | None = await db.scalar(_open(person).limit(1))
    return found


async def withdraw(person: Person) -> None:
    """The link stops working. Raises `NotFound` when no change is under way."""
    async with transaction(elevated=True) as db:
        if await db.scalar(_open(person).limit(1)) is None:
            raise NotFound("No change of the address is under way.")
        await links.end_all(db, person.user_id, PURPOSE)
        await audit.record(db, "email.change_withdrawn", person=person)


async def confirm(person: Person, token: str) -> Changed:
    """The new address counts from now on; other sessions and reset links end, both are told.

    Raises `links.LinkExpired`, also for the link of someone else, and `AddressTaken`.
    """
    try:
        async with transaction(elevated=True) as db:
            link = await links.use(db, token, PURPOSE)
            if link.user_id != person.user_id or link.email is None:
                raise links.LinkExpired
            old, new = person.email, link.email
            for organization_id in await _organizations(db, person):
                await policies.refuse_address(db, organization_id, new)
            # An account that nobody confirmed gives way to who reads the mailbox.
            await _forget_unconfirmed(db, new)
            await db.execute(update(User).where(User.id == person.user_id).values(email=new))
            await links.end_all(db, person.user_id, "reset")
            await sessions.end_all(db, person.user_id, but=person.session_id)
            rotated, _ = await sessions.rotate(db, person, proved=False)
            for to in (old, new):
                await mail.send(
                    db, to, "auth/email_changed", name=person.display_name,
                    link=public_url("/account/security"),
                )  # fmt: skip
            await audit.record(db, "email.changed", person=person)
    except IntegrityError as error:
        raise AddressTaken("This address has an account meanwhile; choose another.") from error
    return Changed(rotated, lockout.new_device(new))


def _open(person: Person) -> Select[OneTimeLink]:
    return select(OneTimeLink).where(
        OneTimeLink.user_id == person.user_id,
        OneTimeLink.purpose == PURPOSE,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > func.now(),
    )


async def _forget_unconfirmed(db: AsyncSession, email: str) -> None:
    suspended = select(Membership.id).where(
        Membership.user_id == User.id, Membership.suspended_at.is_not(None)
    )
    await db.execute(
        delete(User).where(
            func.lower(User.email) == email.lower(),
            User.activated_at.is_(None),
            ~suspended.exists(),
        )
    )


async def _organizations(db: AsyncSession, person: Person) -> list[UUID]:
    mine = select(Membership.organization_id).where(Membership.user_id == person.user_id)
    return list(await db.scalars(mine))
