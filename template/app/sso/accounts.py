"""Whose account it is that a provider vouches for. As app_auth: nobody is signed in yet.

The issuer and its subject say who it is. A confirmed mail address opens an account that nobody
can enter yet, or makes a new one; into an account that is in use it leads only where the settings
declare the provider authoritative for the address's domain.
"""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.roles import Role
from app.audit import service as audit
from app.auth import links, sign_up, ways_in
from app.auth.settings import public_url
from app.core.clock import now
from app.core.errors import Conflict, Forbidden
from app.mail import service as mail
from app.sso.claims import Vouched
from app.sso.models import SsoIdentity
from app.sso.providers import Provider
from app.users import service as users
from app.users.models import Invitation, User


class NotConfirmed(Forbidden):
    def __init__(self, provider: Provider) -> None:
        super().__init__(
            f"{provider.label} does not confirm your e-mail address, so there is no account to"
            f" open. If you have one here, sign in to it and connect {provider.label} on the"
            " page Security."
        )


class ConnectFirst(Conflict):
    def __init__(self, provider: Provider) -> None:
        super().__init__(
            "There is an account with your e-mail address already. Sign in to it as usual, then"
            f" connect {provider.label} on the page Security."
        )


class OtherSubject(Conflict):
    def __init__(self, provider: Provider) -> None:
        super().__init__(
            f"The account with your e-mail address is connected to another account at"
            f" {provider.label}. Ask an administrator."
        )


class NotActivated(Forbidden):
    def __init__(self) -> None:
        super().__init__("This account is not activated yet: see your mail.")


async def find(db: AsyncSession, provider: Provider, vouched: Vouched) -> User:
    """The account to sign in to; made, or connected, where the rules allow it."""
    # One at a time for each address, as signing up has it: two at once would make two accounts.
    address = (vouched.email or vouched.subject).lower()
    await db.execute(select(func.pg_advisory_xact_lock(8081, func.hashtext(address))))
    user = await _known(db, vouched)
    if user is not None:
        if user.activated_at is None:
            raise NotActivated
        return user
    if vouched.email is None or not vouched.email_confirmed:
        raise NotConfirmed(provider)
    await sign_up.forget_unconfirmed(db, vouched.email)
    user = await users.by_email(db, vouched.email)
    if user is None:
        user = await _make(db, provider, vouched, vouched.email)
    elif not await _nobody_s_yet(db, user):
        await _may_lead_in(db, provider, vouched, user, vouched.email)
    elif user.activated_at is None:
        await _activate(db, provider, vouched, user)
    await connect(db, provider, vouched, user)
    return user


async def _known(db: AsyncSession, vouched: Vouched) -> User | None:
    """The account that the issuer's subject is connected to."""
    user_id = await db.scalar(
        update(SsoIdentity)
        .where(SsoIdentity.issuer == vouched.issuer, SsoIdentity.subject == vouched.subject)
        .values(last_used_at=now(), email=vouched.email)
        .returning(SsoIdentity.user_id)
    )
    return await db.get_one(User, user_id) if user_id else None


async def _nobody_s_yet(db: AsyncSession, user: User) -> bool:
    """Nobody can enter: never confirmed, or provisioned and without any way to sign in."""
    if user.activated_at is None:
        return True
    return not await ways_in.exist(db, user.id)


async def _may_lead_in(
    db: AsyncSession, provider: Provider, vouched: Vouched, user: User, email: str
) -> None:
    if not (provider.decides_about(email) and vouched.of_domain):
        raise ConnectFirst(provider)
    # The same address with another subject: it was given to somebody else.
    other = select(SsoIdentity.id).where(
        SsoIdentity.user_id == user.id, SsoIdentity.issuer == vouched.issuer
    )
    if await db.scalar(other):
        raise OtherSubject(provider)


async def _make(db: AsyncSession, provider: Provider, vouched: Vouched, email: str) -> User:
    """An account for someone new, where an invitation or the rules for signing up let them in."""
    invitation = await db.scalar(
        select(Invitation)
        .where(func.lower(Invitation.email) == email.lower())
        .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
        .where(Invitation.expires_at > now())
        .order_by(Invitation.id.desc())
        .limit(1)
        .with_for_update(read=True)
    )
    if invitation is None:
        await sign_up.refuse_stranger(email)
        organization_id, role = await sign_up.shared_organization(db), str(Role.MEMBER)
    else:
        organization_id, role = invitation.organization_id, invitation.role
    user = await users.add(
        db,
        email=email,
        display_name=vouched.name,
        organization_id=organization_id,
        role=role,
    )
    await _activate(db, provider, vouched, user)
    return user


async def _activate(db: AsyncSession, provider: Provider, vouched: Vouched, user: User) -> None:
    """The provider's word stands for the mailed link; a password someone prepared never counts."""
    await links.end_all(db, user.id, "activate")
    user.activated_at = now()
    user.display_name = vouched.name
    organization_id = await sign_up.settle(db, user)
    await audit.record(
        db,
        "account.activated",
        organization_id=organization_id,
        user_id=user.id,
        detail={"provider": provider.name},
    )


async def connect(db: AsyncSession, provider: Provider, vouched: Vouched, user: User) -> None:
    """From now on the issuer's subject signs in to this account; its owner is told."""
    db.add(
        SsoIdentity(
            user_id=user.id,
            provider=provider.name,
            issuer=vouched.issuer,
            subject=vouched.subject,
            email=vouched.email,
            last_used_at=now(),
        )
    )
    await db.flush()
    await audit.record(
        db,
        "identity.connected",
        organization_id=await users.organization_of(db, user.id),
        user_id=user.id,
        detail={"provider": provider.name},
    )
    await mail.send(
        db,
        user.email,
        "sso/connected",
        name=user.display_name,
        provider=provider.label,
        link=public_url("/account/security"),
    )


async def connected_to(db: AsyncSession, vouched: Vouched) -> UUID | None:
    """Whose account the issuer's subject is connected to."""
    found: UUID | None = await db.scalar(
        select(SsoIdentity.user_id).where(
            SsoIdentity.issuer == vouched.issuer, SsoIdentity.subject == vouched.subject
        )
    )
    return found
