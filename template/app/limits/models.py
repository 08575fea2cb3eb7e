"""Tables of the limits. Their ids are keyed digests, so no address or login is in the clear."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base


class RateLimit(Base):
    """When a budget is full again. Unlogged: it is cheap, and a crash may forget it."""

    __tablename__ = "rate_limits"
    __data__ = holds(kept="limits.forget")
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012

    full_at: Mapped[datetime]


class Lockout(Base):
    """Failed sign-ins of one login, from strangers or from one known device."""

    __tablename__ = "lockouts"
    __data__ = holds(kept="limits.forget")

    attempts: Mapped[int]
    unsettled: Mapped[int]
    """Attempts of `attempts` that have begun and not yet been told how they ended."""
    locked_until: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(index=True)


class ForgottenDevices(Base):
    """Devices of one login that were known before `at` are strangers again."""

    __tablename__ = "forgotten_devices"
    __data__ = holds(kept="limits.forget")

    at: Mapped[datetime]
