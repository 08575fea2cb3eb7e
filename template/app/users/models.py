from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base


class Role(StrEnum):
    MEMBER = "member"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class Organization(Base):
    __tablename__ = "organizations"

    name: Mapped[str] = mapped_column(String(120))
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Who may hand it on or delete it; nobody where there is only one organisation."""


class OrganizationPolicy(Base):
    """What one organisation asks of its members' sessions, beyond the settings. Empty: nothing.

    `open_session` reads it on every request, so it binds sessions that have begun before, too.
    """

    __tablename__ = "organization_policies"
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


class User(Base):
    __tablename__ = "users"
    # Compared without case, so that nobody holds two accounts by writing it otherwise.
    __table_args__ = (Index("uq_users_email", text("lower(email)"), unique=True),)

    email: Mapped[str] = mapped_column(String(254))
    display_name: Mapped[str] = mapped_column(String(120))
    activated_at: Mapped[datetime | None]
    """When the mail address was confirmed; before that nobody signs in."""


class Membership(Base):
    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("organization_id", "user_id"),
        CheckConstraint("role IN ('member', 'reviewer', 'admin')", name="role"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(20), default=Role.MEMBER)
    suspended_at: Mapped[datetime | None]


class Invitation(Base):
    __tablename__ = "invitations"

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(20), default=Role.MEMBER)
    token_digest: Mapped[bytes] = mapped_column(unique=True)
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
