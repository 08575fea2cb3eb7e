from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ACCOUNT, holds
from app.core.db import Base


class Passkey(Base):
    """What we know of a passkey; its private key never leaves the person's device."""

    __tablename__ = "passkeys"
    __data__ = holds(
        personal="credential_id public_key", words="name", plain="transports", kept=ACCOUNT
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    """As COSE_Key (RFC 9052)."""
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """Stays 0 for passkeys that are kept on several devices."""
    aaguid: Mapped[UUID]
    """The model of the authenticator, when it tells."""
    transports: Mapped[list[str]] = mapped_column(JSON)
    synced: Mapped[bool]
    """It may be copied between devices of the person by whoever keeps it."""
    name: Mapped[str] = mapped_column(String(60))
    last_used_at: Mapped[datetime | None]
    copied_at: Mapped[datetime | None]
    """When its counter went back, as that of a copy does; it opens nothing since."""


class PasskeyHandle(Base):
    """What authenticators call a person: random, so that it tells nothing of them."""

    __tablename__ = "passkey_handles"
    __data__ = holds(personal="handle", kept=ACCOUNT)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    handle: Mapped[bytes] = mapped_column(unique=True)


class PasskeyChallenge(Base):
    """Asked of a browser and to be answered once. Unlogged: a crash may forget it."""

    __tablename__ = "passkey_challenges"
    __data__ = holds(credentials="digest browser", plain="purpose", kept="passkeys.forget")
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012

    digest: Mapped[bytes] = mapped_column(unique=True)
    purpose: Mapped[str] = mapped_column(String(20))
    browser: Mapped[bytes]
    """Digest of the session's or the browser's token against request forgery."""
    expires_at: Mapped[datetime] = mapped_column(index=True)
