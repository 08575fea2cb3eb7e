from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ACCOUNT, holds
from app.core.db import Base
from app.core.rotation import encrypted_for


class Password(Base):
    __tablename__ = "passwords"
    __data__ = holds(credentials="hash", kept=ACCOUNT)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    hash: Mapped[str] = mapped_column(String(255))


class SecondFactor(Base):
    """Someone has a second factor of a kind; its secrets stand in tables of the kind's own."""

    __tablename__ = "second_factors"
    __data__ = holds(plain="kind", kept=ACCOUNT)
    __table_args__ = (UniqueConstraint("user_id", "kind"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))


class TotpDevice(Base):
    """An authenticator app; without `confirmed_at` it is only about to become one."""

    __tablename__ = "totp_devices"
    __data__ = holds(credentials="secret", kept=ACCOUNT)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    secret: Mapped[bytes] = mapped_column(info=encrypted_for("user_id"))
    """Encrypted; see `core.crypto`."""
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    """The time step of the last code that was accepted: no code counts twice."""


class RecoveryCode(Base):
    __tablename__ = "recovery_codes"
    __data__ = holds(credentials="digest", kept=ACCOUNT)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes]
    used_at: Mapped[datetime | None]


class OneTimeLink(Base):
    """A link that was mailed: to activate an account, set a new password or confirm an address."""

    __tablename__ = "one_time_links"
    __data__ = holds(
        credentials="token_digest password_hash",
        personal="display_name email",
        plain="purpose",
        kept="auth.clean_up",
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    token_digest: Mapped[bytes] = mapped_column(unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    """Of a sign-up: the password that was chosen with it. It counts when the link is used."""
    display_name: Mapped[str | None] = mapped_column(String(120))
    """Of a sign-up: so that a stranger's does not end up in the account of the address's owner."""
    email: Mapped[str | None] = mapped_column(String(254))
    """Of a change of address: the new one."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
