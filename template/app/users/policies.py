"""What an organisation asks of its members, on top of what the settings ask of everybody.

`open_session` enforces it on every request (access/migrations). Here it is read and changed, and
whoever it shuts out is signed out at once.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.models import Session
from app.access.person import Person
from app.access.settings import AccessSettings
from app.audit import service as audit
from app.core.clock import now
from app.core.db import elevated
from app.core.errors import Conflict, Invalid
from app.core.ids import uuid7
from app.modules import parts
from app.users.models import Invitation, Membership, OrganizationPolicy, User
from app.users.schemas import domain_of

STRICTNESS = ("optional", "admins", "everyone")
FIELDS = (
    "second_factor",
    "sign_in_methods",
    "second_factors",
    "idle_minutes",
    "absolute_hours",
    "mail_domains",
    "impersonation",
)


class WeakerThanSettings(Invalid):
    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, errors={field: detail})


class UnknownMethod(Invalid):
    def __init__(self, field: str) -> None:
        detail = "Choose at least one of those that this app offers."
        super().__init__(detail, errors={field: detail})


class LocksYouOut(Conflict):
    """Whoever sets a policy stays inside, or nobody could take it back."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, errors={field: detail})


class DomainNotAllowed(Invalid):
    def __init__(self) -> None:
        detail = "Your organisation has members at other mail domains only."
        super().__init__(detail, errors={"email": detail})


@cache
def sign_in_methods() -> dict[str, str]:
    """The ways in that this app offers; a module adds one with a file sign_in_method.py."""
    return {"password": "Password"} | {part.METHOD: part.LABEL for part in parts("sign_in_method")}


@cache
def second_factors() -> dict[str, str]:
    return {part.FACTOR.kind: part.FACTOR.label for part in parts("factor")}


async def read(db: AsyncSession) -> OrganizationPolicy:
    """The policy of the current organisation; one that asks for nothing when none was set."""
    query = select(OrganizationPolicy).execution_options(populate_existing=True)
    return await db.scalar(query) or OrganizationPolicy(
        second_factor="optional", impersonation=True
    )


async def change(db: AsyncSession, person: Person, wanted: OrganizationPolicy) -> int:
    """Set it anew, and end the sessions that break it; how many of other people's ended.

    Raises `WeakerThanSettings`, `UnknownMethod` or `LocksYouOut`.
    """
    before = await read(db)
    _refuse_weaker(wanted)
    wanted.sign_in_methods = _chosen("sign_in_methods", wanted.sign_in_methods, sign_in_methods())
    wanted.second_factors = _chosen("second_factors", wanted.second_factors, second_factors())
    wanted.mail_domains = sorted(set(wanted.mail_domains or ())) or None
    values = {name: getattr(wanted, name) for name in FIELDS}
    changed = [name for name in FIELDS if getattr(before, name) != values[name]]
    async with elevated(db):
        await _refuse_locking_out(db, person, wanted)
    await db.execute(
        insert(OrganizationPolicy)
        .values(id=uuid7(), organization_id=person.organization_id, **values)
        .on_conflict_do_update(index_elements=["organization_id"], set_=values)
    )
    if wanted.mail_domains:
        await db.execute(
            update(Invitation)
            .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
            .where(_domain(Invitation.email).not_in(wanted.mail_domains))
            .values(revoked_at=now())
        )
    ended = await _end_breaking(db, person.organization_id, wanted)
    await audit.record(db, "organization.policy_changed", person=person, detail={"fields": changed})
    return ended


async def refuse_address(db: AsyncSession, organization_id: UUID, email: str) -> None:
    """Raise `DomainNotAllowed` when the organisation has no members at this mail domain."""
    domains = await db.scalar(
        select(OrganizationPolicy.mail_domains).where(
            OrganizationPolicy.organization_id == organization_id
        )
    )
    if domains is not None and domain_of(email) not in domains:
        raise DomainNotAllowed


def _domain(column: Any) -> Any:
    return func.lower(func.substring(column, "[^@]*$"))


def _refuse_weaker(wanted: OrganizationPolicy) -> None:
    settings = AccessSettings.load()
    if STRICTNESS.index(wanted.second_factor) < STRICTNESS.index(settings.second_factor):
        raise WeakerThanSettings("second_factor", "This app asks for more already.")
    for name in ("idle_minutes", "absolute_hours"):
        given, longest = getattr(wanted, name), getattr(settings, name)
        if given is not None and given > longest:
            raise WeakerThanSettings(name, f"Enter {longest} or less: the app's own limit.")


def _chosen(field: str, given: Sequence[str] | None, known: dict[str, str]) -> list[str] | None:
    if given is None:
        return None
    if not given or not set(given) <= known.keys():
        raise UnknownMethod(field)
    return [name for name in known if name in given]


async def _refuse_locking_out(db: AsyncSession, person: Person, wanted: OrganizationPolicy) -> None:
    method = await db.scalar(select(Session.method).where(Session.id == person.session_id))
    if wanted.sign_in_methods is not None and method not in wanted.sign_in_methods:
        raise LocksYouOut(
            "sign_in_methods", "You came in another way yourself: sign in by one that stays open."
        )
    if wanted.mail_domains and domain_of(person.email) not in wanted.mail_domains:
        raise LocksYouOut("mail_domains", "Your own address is at another domain.")


async def _end_breaking(db: AsyncSession, organization_id: UUID, policy: OrganizationPolicy) -> int:
    """Otherwise they would live again when the policy is taken back."""
    broken = []
    if policy.sign_in_methods is not None:
        broken.append(Session.method.not_in(policy.sign_in_methods))
    if policy.mail_domains:
        outside = (
            select(Membership.user_id)
            .join(User, User.id == Membership.user_id)
            .where(Membership.organization_id == organization_id)
            .where(_domain(User.email).not_in(policy.mail_domains))
        )
        broken.append(Session.user_id.in_(outside))
    if not policy.impersonation:
        broken.append(Session.impersonator_session_id.is_not(None))
    if not broken:
        return 0
    async with elevated(db):
        ended = await db.scalars(
            update(Session)
            .where(Session.organization_id == organization_id, Session.revoked_at.is_(None))
            .where(or_(*broken))
            .values(revoked_at=now())
            .returning(Session.id)
        )
        return len(ended.all())
