"""Organisations and people to test with. Each call commits, as the app would."""

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2
from sqlalchemy import select, text

from app.access import service as sessions
from app.access.forgery import SESSION_COOKIE
from app.core import db
from app.core.clock import now
from app.core.crypto import keyed_digest
from app.core.ids import uuid7
from app.users.models import CustomRole, Membership, Organization, OrganizationPolicy, User

PASSWORD = "correct horse battery staple 42"


@dataclass
class Someone:
    """A person made for a test."""

    user_id: UUID
    organization_id: UUID
    email: str
    role: str
    password: str = field(default=PASSWORD, repr=False)


async def make_organization(**values: Any) -> Organization:
    word = secrets.token_hex(4)
    made = Organization(**{"name": f"Organisation {word}", "slug": f"org-{word}"} | values)
    async with db.transaction(elevated=True) as session:
        session.add(made)
    return made


async def make_user(
    organization: Organization | UUID | None = None, *, role: str = "member", **values: Any
) -> Someone:
    """A person with an active account; `password=False` leaves the password out."""
    if organization is None:
        organization = await make_organization()
    organization_id = organization if isinstance(organization, UUID) else organization.id
    password = values.pop("password", PASSWORD)
    word = secrets.token_hex(6)
    values = {
        "email": f"ada.{word}@example.com",
        "display_name": "Ada Lovelace",
        "activated_at": now(),
    } | values
    user = User(**values)
    async with db.transaction(elevated=True) as session:
        session.add(user)
        await session.flush()
        session.add(Membership(organization_id=organization_id, user_id=user.id, role=role))
        if password:
            from app.auth.models import Password
            from app.auth.passwords import hash_password

            session.add(Password(user_id=user.id, hash=await hash_password(password)))
    return Someone(user.id, organization_id, user.email, role, password or "")


async def make_membership(
    someone: Someone, organization: Organization, *, role: str = "member", suspended: bool = False
) -> None:
    """Let a person belong to a further organisation."""
    async with db.transaction(elevated=True) as session:
        session.add(
            Membership(
                organization_id=organization.id,
                user_id=someone.user_id,
                role=role,
                suspended_at=now() if suspended else None,
            )
        )


async def make_role(organization: Organization | UUID, permissions: Iterable[str]) -> str:
    """A custom role; gives what stands in a membership for it."""
    organization_id = organization if isinstance(organization, UUID) else organization.id
    made = CustomRole(
        id=uuid7(),
        organization_id=organization_id,
        name=secrets.token_hex(6),
        description="",
        permissions=sorted(permissions),
    )
    async with db.transaction(organization_id=organization_id) as session:
        session.add(made)
    return str(made.id)


async def sign_in(
    client: httpx2.AsyncClient, someone: Someone, *, second_factor: bool = False, **more: Any
) -> httpx2.AsyncClient:
    """Give the browser a session, without the sign-in page."""
    async with db.transaction(elevated=True) as session:
        token, _ = await sessions.start(
            session,
            user_id=someone.user_id,
            organization_id=someone.organization_id,
            level="full",
            second_factor=second_factor,
            **{"method": "password"} | more,
        )
    return carry(client, token)


def carry(client: httpx2.AsyncClient, token: str) -> httpx2.AsyncClient:
    """Let the browser hold this session."""
    client.cookies.set(SESSION_COOKIE, token, domain="testserver.local", path="/")
    client.headers["X-CSRF-Token"] = keyed_digest(token, "csrf session").hex()
    return client


async def stay_locked_out() -> None:
    """The first wait after too many wrong passwords is two seconds: over, on a slow machine, before
    a test has looked at it."""
    async with db.transaction() as session:
        await session.execute(
            text("UPDATE lockouts SET locked_until = now() + interval '1 h' WHERE attempts > 5")
        )


async def newcomers(roles: Sequence[str | Collection[str]], *, level: str = "full") -> list[str]:
    """The session of a new person in a new organisation for each of these roles, made at once.

    A role is the name of a built-in one, or the permissions that a custom one holds.
    """
    tokens, people = [], []
    for role in roles:
        word = secrets.token_hex(6)
        organization = Organization(id=uuid7(), name=f"Organisation {word}", slug=f"org-{word}")
        user = User(id=uuid7(), email=f"ada.{word}@example.com", display_name="Ada Lovelace")
        user.activated_at = now()
        custom = None
        if not isinstance(role, str):
            custom = CustomRole(
                id=uuid7(),
                organization_id=organization.id,
                name=word,
                description="",
                permissions=sorted(role),
            )
        people.append((organization, user, custom, role if custom is None else str(custom.id)))
    async with db.transaction(elevated=True) as session:
        session.add_all([organization for organization, _, _, _ in people])
        session.add_all([user for _, user, _, _ in people])
    async with db.transaction() as session:
        for organization, _, custom, _ in people:
            if custom is not None:
                await db.set_context(session, organization_id=organization.id)
                session.add(custom)
                await session.flush()
    async with db.transaction(elevated=True) as session:
        for organization, user, _, role in people:
            session.add(Membership(organization_id=organization.id, user_id=user.id, role=role))
        await session.flush()
        for organization, user, _, _ in people:
            token, _ = await sessions.start(
                session,
                user_id=user.id,
                organization_id=organization.id,
                level=level,
                method="password",
            )
            tokens.append(token)
    return tokens


async def set_policy(organization_id: UUID, **values: Any) -> None:
    """What an organisation asks of its members, set past its page."""
    async with db.transaction(organization_id=organization_id) as session:
        found = await session.scalar(select(OrganizationPolicy))
        policy = found or OrganizationPolicy(organization_id=organization_id)
        for name, value in values.items():
            setattr(policy, name, value)
        session.add(policy)
