"""Make, renew, list and revoke API keys. The secret is only ever in its owner's hands."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.models import Session
from app.access.person import Person
from app.access.roles import closed_to_keys
from app.api_keys.models import ApiKey
from app.api_keys.settings import ApiKeysSettings
from app.audit import service as audit
from app.core import credentials
from app.core.clock import now
from app.core.crypto import keyed_digest
from app.core.db import elevated
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.mail import links
from app.mail import service as mail
from app.users.models import User


class ScopeBeyondYourOwn(Forbidden):
    """A key would do what its owner may not, or what no key may."""


class TooManyKeys(Conflict):
    pass


class LongerThanAllowed(Invalid):
    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail, errors={name: detail})


@dataclass(frozen=True)
class Made:
    """A key and its secret, which nobody can be shown again."""

    key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Owned:
    """A key and whose it is."""

    key: ApiKey
    owner: str
    email: str


def digest_of(secret: str) -> bytes:
    return keyed_digest(secret, "api key")


def offered(person: Person) -> list[str]:
    """What this person can give to a key."""
    return sorted(person.permissions - closed_to_keys())


def state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "active" if key.expires_at > now() else "expired"


async def create(
    db: AsyncSession, person: Person, name: str, scopes: Collection[str], days: int | None = None
) -> Made:
    """A new key; its owner gets a mail about it."""
    if beyond := sorted(set(scopes) - set(offered(person))):
        raise ScopeBeyondYourOwn(f"A key of yours cannot have: {', '.join(beyond)}.")
    # One at a time, or many at once would all be the last that is allowed.
    lock = func.pg_advisory_xact_lock(func.hashtextextended(f"api keys {person.user_id}", 0))
    await db.execute(select(lock))
    working = select(func.count()).where(
        ApiKey.user_id == person.user_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now()
    )
    if (await db.scalar(working) or 0) >= ApiKeysSettings.load().per_person:
        raise TooManyKeys("You have as many keys as are allowed; revoke one first.")
    secret = credentials.new_key()
    key = ApiKey(
        organization_id=person.organization_id,
        user_id=person.user_id,
        name=name,
        digest=digest_of(secret),
        ending=secret[-4:],
        scopes=sorted(set(scopes)),
        second_factor=person.second_factor,
        factor=await _factor(db, person),
        expires_at=_end(days),
    )
    db.add(key)
    await db.flush()
    await db.refresh(key)
    await _notice(db, person, "api_keys/created", key)
    detail = {"scopes": key.scopes}
    await audit.record(db, "api_key.created", person=person, target=key.id, detail=detail)
    return Made(key, secret)


async def renew(
    db: AsyncSession,
    person: Person,
    key_id: UUID,
    *,
    grace_hours: int = 0,
    days: int | None = None,
) -> Made:
    """A new secret for a key of one's own; the old one works on for the grace, if any."""
    longest = ApiKeysSettings.load().longest_grace_hours
    if grace_hours > longest:
        raise LongerThanAllowed("grace_hours", f"The old secret works on {longest} hours at most.")
    query = select(ApiKey).where(
        ApiKey.id == key_id, ApiKey.user_id == person.user_id, ApiKey.revoked_at.is_(None)
    )
    key = await db.scalar(query.with_for_update())
    if key is None:
        raise NotFound("No such key.")
    moment, secret = now(), credentials.new_key()
    until = min(moment + timedelta(hours=grace_hours), key.expires_at)
    graced = until > moment
    key.previous_digest = key.digest if graced else None
    key.previous_until = until if graced else None
    key.digest, key.ending = digest_of(secret), secret[-4:]
    key.second_factor, key.factor = person.second_factor, await _factor(db, person)
    key.renewed_at, key.expires_at = moment, _end(days)
    await db.flush()
    await _notice(db, person, "api_keys/renewed", key)
    detail = {"grace_hours": grace_hours}
    await audit.record(db, "api_key.renewed", person=person, target=key.id, detail=detail)
    return Made(key, secret)


async def of_person(db: AsyncSession, person: Person) -> Sequence[ApiKey]:
    """One's own keys, newest first."""
    query = select(ApiKey).where(ApiKey.user_id == person.user_id).order_by(ApiKey.id.desc())
    return (await db.scalars(query)).all()


async def of_organization(
    db: AsyncSession, *, before: UUID | None = None, limit: int = 50
) -> Sequence[Owned]:
    """The keys of everyone, newest first, from behind `before`."""
    query = (
        select(ApiKey, User.display_name, User.email)
        .join(User, User.id == ApiKey.user_id)
        .order_by(ApiKey.id.desc())
        .limit(limit)
    )
    if before:
        query = query.where(ApiKey.id < before)
    return [Owned(*row) for row in await db.execute(query)]


async def revoke(
    db: AsyncSession, person: Person, key_id: UUID, *, anyones: bool = False
) -> ApiKey:
    """End a key at once and for good: one's own, or for administrators anyone's."""
    query = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
    if not anyones:
        query = query.where(ApiKey.user_id == person.user_id)
    key: ApiKey | None = await db.scalar(query.values(revoked_at=now()).returning(ApiKey))
    if key is None:
        raise NotFound("No such key, or it is revoked already.")
    await audit.record(db, "api_key.revoked", person=person, target=key.id)
    return key


async def _factor(db: AsyncSession, person: Person) -> str | None:
    async with elevated(db):
        found: str | None = await db.scalar(
            select(Session.factor).where(Session.id == person.session_id)
        )
    return found


def _end(days: int | None) -> datetime:
    settings = ApiKeysSettings.load()
    days = min(settings.default_days, settings.longest_days) if days is None else days
    if days > settings.longest_days:
        detail = f"A key works {settings.longest_days} days at most."
        raise LongerThanAllowed("expires_in_days", detail)
    return now() + timedelta(days=days)


async def _notice(db: AsyncSession, person: Person, template: str, key: ApiKey) -> None:
    await mail.send(
        db,
        person.email,
        template,
        name=person.display_name,
        key=key.name,
        ending=key.ending,
        link=links.to("/account/keys", api="/api/keys"),
    )
