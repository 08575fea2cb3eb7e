"""Which organisation someone enters by signing in. As app_auth: nobody is signed in yet."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.models import Session
from app.core.errors import Forbidden
from app.users.models import Membership, OrganizationPolicy, User


class AccountSuspended(Forbidden):
    pass


class NotThisWay(Forbidden):
    """The organisation's policy lets nobody in by this way, or nobody with such an address."""


@dataclass(frozen=True)
class Entrance:
    organization_id: UUID
    suspended: bool
    allowed: bool

    def enter(self) -> UUID:
        """Raise `AccountSuspended` or `NotThisWay`. Only after the person proved who they are."""
        if self.suspended:
            raise AccountSuspended("This account is suspended; ask an administrator.")
        if not self.allowed:
            raise NotThisWay(
                "Your organisation does not let you in this way; sign in in another one,"
                " or ask an administrator."
            )
        return self.organization_id


async def find(
    db: AsyncSession, user_id: UUID, *, method: str, organization_id: UUID | None = None
) -> Entrance | None:
    """Of a person's organisations one that lets in by this way, the last one used first.

    With `organization_id` only that one. None for who belongs nowhere.
    """
    last_used = (
        select(func.max(Session.created_at))
        .where(Session.user_id == user_id, Session.organization_id == Membership.organization_id)
        .scalar_subquery()
    )
    policy = OrganizationPolicy
    domain = func.lower(func.substring(User.email, "[^@]*$"))
    allowed = and_(
        or_(policy.sign_in_methods.is_(None), policy.sign_in_methods.any_() == method),
        or_(policy.mail_domains.is_(None), policy.mail_domains.any_() == domain),
    )
    query = (
        select(Membership.organization_id, Membership.suspended_at, allowed.label("allowed"))
        .join(User, User.id == Membership.user_id)
        .outerjoin(policy, policy.organization_id == Membership.organization_id)
        .where(Membership.user_id == user_id)
        .order_by(
            Membership.suspended_at.is_not(None),
            ~allowed,
            last_used.desc().nulls_last(),
            Membership.created_at,
        )
        .limit(1)
    )
    if organization_id:
        query = query.where(Membership.organization_id == organization_id)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        return None
    return Entrance(row.organization_id, row.suspended_at is not None, row.allowed)
