"""The ledger of model calls, the running sums that budgets are checked against, and the budgets.

Money is in millionths of a US dollar. The functions in the migrations keep ledger and sums in
step; nothing else writes them.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import ORGANIZATION, holds
from app.core.db import Base


class UsageRecord(Base):
    """One model call: what was reserved for it and what it used."""

    __tablename__ = "usage_records"
    __data__ = holds(
        plain="feature provider model prompt state outcome", words="cost_center", kept=ORGANIZATION
    )
    __table_args__ = (
        CheckConstraint("state IN ('reserved', 'settled', 'released')", name="state"),
        Index("ix_usage_records_time", "organization_id", "created_at"),
        Index("ix_usage_records_person", "organization_id", "user_id", "created_at"),
        Index(
            "ix_usage_records_open",
            "expires_at",
            postgresql_where="state = 'reserved'",
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    feature: Mapped[str] = mapped_column(String(60))
    provider: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(200))
    prompt: Mapped[str] = mapped_column(String(80))
    """The registered prompt that the call was made with, with its version; empty for none."""
    prompt_version: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(10))
    outcome: Mapped[str] = mapped_column(String(20))
    """How the call ended, in the gateway's words; empty while it runs."""
    reserved_tokens: Mapped[int] = mapped_column(BigInteger)
    reserved_microdollars: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    microdollars: Mapped[int] = mapped_column(BigInteger)
    estimated: Mapped[bool]
    """The provider did not tell the tokens, or told what cannot be; we counted bytes."""
    price_known: Mapped[bool]
    """When not, the dearest price was taken."""
    first_text_ms: Mapped[int | None]
    """Milliseconds until the provider's first word; empty: none came."""
    cost_center: Mapped[str] = mapped_column(String(60), server_default="")
    """Who is charged: what was set when the call began; empty when nothing was."""
    expires_at: Mapped[datetime]
    """After this moment nobody is working on the call any more."""
    finished_at: Mapped[datetime | None]


class UsageCounter(Base):
    """What was used and is reserved in one hour, day or month, by a person or an organisation."""

    __tablename__ = "usage_counters"
    __data__ = holds(plain="period", kept=ORGANIZATION)
    __table_args__ = (
        UniqueConstraint(
            "organization_id",
            "user_id",
            "period",
            "starts_at",
            name="uq_usage_counters_window",
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("period IN ('hour', 'day', 'month')", name="period"),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    """Empty for the whole organisation."""
    period: Mapped[str] = mapped_column(String(5))
    starts_at: Mapped[datetime]
    calls: Mapped[int] = mapped_column(BigInteger)
    tokens: Mapped[int] = mapped_column(BigInteger)
    microdollars: Mapped[int] = mapped_column(BigInteger)
    reserved_calls: Mapped[int] = mapped_column(BigInteger)
    reserved_tokens: Mapped[int] = mapped_column(BigInteger)
    reserved_microdollars: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)
    """Calls for which this window had nothing left."""


class UsageInstallation(Base):
    """A share of what all organisations together spent and have reserved in one month, also those
    that are gone; a trigger keeps it in step with their sums. No tenant can read it."""

    __tablename__ = "usage_installation"
    __data__ = holds(kept="usage.forget")
    __table_args__ = (UniqueConstraint("starts_at", "share", name="uq_usage_installation_share"),)

    starts_at: Mapped[datetime]
    share: Mapped[int]
    """By organisation: they would all wait for a single row."""
    microdollars: Mapped[int] = mapped_column(BigInteger)
    reserved_microdollars: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[int] = mapped_column(BigInteger)
    """Calls that the installation's budget had no room for."""
    told: Mapped[int] = mapped_column(server_default="0")
    """How many per cent of the budget was told of; in a row that is no share."""


class UsageLimit(Base):
    """Budgets of one organisation or person, where given, and the cost centre that is charged. Of a
    person they replace those in the settings; of an organisation they bind below its ceiling."""

    __tablename__ = "usage_limits"
    __data__ = holds(words="cost_center", kept=ORGANIZATION)
    __table_args__ = (
        UniqueConstraint(
            "organization_id",
            "user_id",
            name="uq_usage_limits_holder",
            postgresql_nulls_not_distinct=True,
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    calls_per_hour: Mapped[int | None] = mapped_column(BigInteger)
    calls_per_day: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_hour: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)
    microdollars_per_month: Mapped[int | None] = mapped_column(BigInteger)
    cost_center: Mapped[str | None] = mapped_column(String(60))
    """Of a person it wins over the organisation's."""


class UsageCeiling(Base):
    """The most that one organisation may use, where those who run the app gave it another than the
    settings say. Its own people see it; only they, working as app_auth, write it."""

    __tablename__ = "usage_ceilings"
    __data__ = holds(kept=ORGANIZATION)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), unique=True
    )
    calls_per_hour: Mapped[int | None] = mapped_column(BigInteger)
    calls_per_day: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_hour: Mapped[int | None] = mapped_column(BigInteger)
    tokens_per_day: Mapped[int | None] = mapped_column(BigInteger)
    microdollars_per_month: Mapped[int | None] = mapped_column(BigInteger)


class UsageWarning(Base):
    """That a month's budget is used to so many per cent was told; 0: that a call was refused."""

    __tablename__ = "usage_warnings"
    __data__ = holds(kept="usage.forget")
    __table_args__ = (
        UniqueConstraint(
            "organization_id",
            "user_id",
            "starts_at",
            "share",
            name="uq_usage_warnings_once",
            postgresql_nulls_not_distinct=True,
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    """Empty for the budget of the whole organisation."""
    starts_at: Mapped[datetime]
    share: Mapped[int]


class UsageAnomaly(Base):
    """Hours that cost far more than such hours do, one row while it goes on."""

    __tablename__ = "usage_anomalies"
    __data__ = holds(plain="kind name unit", kept="usage.forget")
    __table_args__ = (
        UniqueConstraint(
            "organization_id",
            "kind",
            "name",
            "user_id",
            "started_at",
            name="uq_usage_anomalies_whose",
            postgresql_nulls_not_distinct=True,
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE")
    )
    kind: Mapped[str] = mapped_column(String(12), server_default="organization")
    """Whose hours: organization, feature, model or person."""
    name: Mapped[str] = mapped_column(String(200), server_default="")
    """Of the feature or the model."""
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    started_at: Mapped[datetime]
    last_at: Mapped[datetime]
    unit: Mapped[str] = mapped_column(String(12))
    """microdollars or tokens"""
    seen: Mapped[int] = mapped_column(BigInteger)
    """In the dearest of these hours."""
    usual: Mapped[int] = mapped_column(BigInteger)
