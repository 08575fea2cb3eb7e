from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ACCOUNT, holds
from app.core.db import Base
from app.core.rotation import encrypted_for


class PhoneNumber(Base):
    """A number that its owner confirmed with a code, when the row was made."""

    __tablename__ = "phone_numbers"
    __data__ = holds(personal="number digest", kept=ACCOUNT)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    number: Mapped[bytes] = mapped_column(info=encrypted_for())
    """Encrypted; see `core.crypto`."""
    digest: Mapped[bytes] = mapped_column(index=True)
    """Keyed: to count the accounts of one number."""


class Purpose(StrEnum):
    """A code for one is none for another."""

    NUMBER = "number"
    SIGN_IN = "sign-in"
    PROOF = "proof"


class SmsCode(Base):
    """The newest code of a person for a purpose; gone once it was used. Strangers have another."""

    __tablename__ = "sms_codes"
    __data__ = holds(
        credentials="digest", personal="number", plain="purpose", kept="sms_codes.remove_old"
    )
    __table_args__ = (
        UniqueConstraint("user_id", "purpose", "known"),
        CheckConstraint("purpose IN ('number', 'sign-in', 'proof')", name="purpose"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(10))
    session_id: Mapped[UUID]
    """The session that asked for it, and the only one that may use it."""
    digest: Mapped[bytes]
    tries: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[datetime]
    number: Mapped[bytes | None] = mapped_column(info=encrypted_for())
    """Encrypted: the number that this code confirms."""
    as_factor: Mapped[bool] = mapped_column(default=False)
    """Whether the number becomes a second factor with its confirmation."""
    known: Mapped[bool] = mapped_column(default=False)
    """At signing in: a browser asked for it from which the person had signed in before."""


class Status(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class SmsMessage(Base):
    """Number and text are encrypted, and gone once a service has taken the message."""

    __tablename__ = "sms_messages"
    __data__ = holds(
        credentials="body",
        personal="number",
        plain="country status error",
        kept="sms_codes.remove_old",
    )
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'sending', 'sent', 'failed')", name="status"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    country: Mapped[str] = mapped_column(String(3))
    number: Mapped[bytes | None] = mapped_column(info=encrypted_for())
    body: Mapped[bytes | None] = mapped_column(info=encrypted_for())
    status: Mapped[str] = mapped_column(String(20), default=Status.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(String(200))
    known: Mapped[bool] = mapped_column(default=False)
    """As at its code: what a stranger asks for takes the place of nothing else."""
    expires_at: Mapped[datetime]
    """When its code ends: later it is no use."""
    sent_at: Mapped[datetime | None]


class SmsDay(Base):
    """How many messages one day has had, to a country, or to all in the row without one."""

    __tablename__ = "sms_days"
    __data__ = holds(plain="country", kept="sms_codes.remove_old")
    __table_args__ = (UniqueConstraint("day", "country"),)

    day: Mapped[date]
    country: Mapped[str] = mapped_column(String(3))
    sent: Mapped[int]
