from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ACCOUNT, holds
from app.core.db import Base


class SsoIdentity(Base):
    """Someone's account elsewhere; the issuer's subject is who it is, never the mail address."""

    __tablename__ = "sso_identities"
    __data__ = holds(personal="issuer subject email", plain="provider", kept=ACCOUNT)
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str] = mapped_column(String(30))
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(254))
    """What the provider calls the address, to tell two accounts apart; nothing is decided by it."""
    last_used_at: Mapped[datetime | None]


class SsoAttempt(Base):
    """A way to a provider that someone has started; the answer ends it."""

    __tablename__ = "sso_attempts"
    __data__ = holds(
        credentials="state_digest browser_digest",
        personal="next_path",
        plain="provider purpose",
        kept="sso.forget",
    )

    state_digest: Mapped[bytes] = mapped_column(unique=True)
    browser_digest: Mapped[bytes]
    provider: Mapped[str] = mapped_column(String(30))
    purpose: Mapped[str] = mapped_column(String(10))
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    """Of a person who is signed in and connects an account, or proves who they are."""
    next_path: Mapped[str] = mapped_column(String(2000))
    expires_at: Mapped[datetime]
