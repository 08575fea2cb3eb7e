from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.access.roles import Role
from app.core.data import ACCOUNT, ORGANIZATION, holds
from app.core.db import Base

ROLE_CHARACTERS = 36
# The database keeps a custom role from leaving while someone has it, and from another organisation.
ROLE_ID = "CASE WHEN role ~ '^[0-9a-f]{8}-' THEN role::uuid END"


class Organization(Base):
    __tablename__ = "organizations"
    __data__ = holds(words="name slug", kept=ORGANIZATION)

    name: Mapped[str] = mapped_column(String(120))
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Who may hand it on or delete it; nobody where there is only one organisation."""


class OrganizationPolicy(Base):
    """What one organisation asks of its members' sessions, beyond the settings. Empty: nothing.

    `open_session` reads it on every request, so it binds sessions that have begun before, too.
    """

    __tablename__ = "organization_policies"
    __data__ = holds(
        plain="second_factor sign_in_methods second_factors mail_domains", kept=ORGANIZATION
    )
    __table_args__ = (
        CheckConstraint(
            "second_factor IN ('optional', 'admins', 'everyone')", name="second_factor"
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), unique=True
    )
    second_factor: Mapped[str] = mapped_column(String(10), default="optional")
    sign_in_methods: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """The ways in that are open; empty for all."""
    second_factors: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """The second factors that count; empty for all."""
    idle_minutes: Mapped[int | None]
    absolute_hours: Mapped[int | None]
    mail_domains: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """Where members have their mail addresses, in lower case; empty for anywhere."""
    impersonation: Mapped[bool] = mapped_column(default=True)
    """Whether administrators may work as a member for a while."""


class User(Base):
    __tablename__ = "users"
    __data__ = holds(personal="email display_name", kept=ACCOUNT)
    # Compared without case, so that nobody holds two accounts by writing it otherwise.
    __table_args__ = (Index("uq_users_email", text("lower(email)"), unique=True),)

    email: Mapped[str] = mapped_column(String(254))
    display_name: Mapped[str] = mapped_column(String(120))
    activated_at: Mapped[datetime | None]
    signed_in_at: Mapped[datetime | None]
    """The first time; until then no browser is a new one."""
    """When the mail address was confirmed; before that nobody signs in."""


class CustomRole(Base):
    """A role that an organisation made for itself."""

    __tablename__ = "roles"
    __data__ = holds(words="name description", plain="permissions", kept=ORGANIZATION)
    __table_args__ = (
        Index("uq_roles_name", "organization_id", text("lower(name)"), unique=True),
        UniqueConstraint("organization_id", "id"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    name: Mapped[str] = mapped_column(String(60))
    description: Mapped[str] = mapped_column(String(200))
    permissions: Mapped[list[str]] = mapped_column(ARRAY(String(60)))


class Membership(Base):
    __tablename__ = "memberships"
    __data__ = holds(plain="role", kept=ACCOUNT)
    __table_args__ = (
        UniqueConstraint("organization_id", "user_id"),
        ForeignKeyConstraint(
            ["organization_id", "role_id"],
            ["roles.organization_id", "roles.id"],
            name="fk_memberships_role_id",
        ),
        CheckConstraint(
            "role IN ('member', 'reviewer', 'admin') OR role_id IS NOT NULL", name="role"
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(ROLE_CHARACTERS), default=Role.MEMBER)
    """A built-in role's name or a custom role's id."""
    role_id: Mapped[UUID | None] = mapped_column(Computed(ROLE_ID, persisted=True), deferred=True)
    suspended_at: Mapped[datetime | None]


class Invitation(Base):
    __tablename__ = "invitations"
    __data__ = holds(credentials="token_digest", personal="email", plain="role", kept=ORGANIZATION)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(ROLE_CHARACTERS), default=Role.MEMBER)
    token_digest: Mapped[bytes] = mapped_column(unique=True)
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
