from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base
from app.core.rotation import encrypted_for


class Status(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class MailMessage(Base):
    """Subject and body are encrypted, and gone once a mail server has taken the message."""

    __tablename__ = "mail_messages"
    __data__ = holds(
        credentials="subject body",
        personal="recipient",
        plain="template status error",
        kept="mail.remove_old",
    )
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'sending', 'sent', 'failed')", name="status"),
    )

    # Of the organisation that the transaction worked for, if it worked for one.
    organization_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"),
        default=func.current_organization(),
        index=True,
    )
    recipient: Mapped[str] = mapped_column(String(320), index=True)
    template: Mapped[str] = mapped_column(String(120))
    subject: Mapped[bytes | None] = mapped_column(info=encrypted_for())
    body: Mapped[bytes | None] = mapped_column(info=encrypted_for())
    status: Mapped[str] = mapped_column(String(20), default=Status.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(String(200))
    sent_at: Mapped[datetime | None]
