from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ACCOUNT, holds
from app.core.db import Base


class ApiKey(Base):
    """A key of one person in one organisation; it goes with the membership."""

    __tablename__ = "api_keys"
    __data__ = holds(
        credentials="digest previous_digest",
        words="name",
        plain="ending scopes factor",
        kept=ACCOUNT,
    )
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name="fk_api_keys_membership",
            ondelete="CASCADE",
        ),
        Index("ix_api_keys_organization_id_user_id", "organization_id", "user_id"),
        Index("ix_api_keys_previous_digest", "previous_digest"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[bytes] = mapped_column(unique=True)
    """Of the secret, with our own key: whoever reads the table can neither use nor guess it."""
    ending: Mapped[str] = mapped_column(String(4))
    """The last characters of the secret, to tell keys apart by."""
    previous_digest: Mapped[bytes | None]
    previous_until: Mapped[datetime | None]
    """The secret before the last renewal works until then."""
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(60)))
    second_factor: Mapped[bool]
    """Whether the session that made the key had a second factor; policies ask for it."""
    factor: Mapped[str | None] = mapped_column(String(20))
    """Which it was; an organisation may count some of them only."""
    renewed_at: Mapped[datetime | None]
    """When its secret was made, if it is not the first."""
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
