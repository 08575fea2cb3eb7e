"""What each department is to be charged with: the calls of one month that is over, as CSV.

A month can be fetched once its last call is settled; from then on its numbers do not change.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

from sqlalchemy import Integer, Row, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.errors import Conflict
from app.core.spreadsheets import as_text
from app.usage.models import UsageRecord
from app.users.models import Organization, User

# Spreadsheets of others read these by name: none is renamed or moved, new ones come last.
COLUMNS = (
    "month",
    "organization_id",
    "organization",
    "feature",
    "provider",
    "model",
    "person_id",
    "person",
    "email",
    "calls",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "cost_usd",
    "estimated_calls",
    "calls_of_unknown_price",
    "prompt",
    "prompt_version",
    "cost_center",
)


class MonthStillOpen(Conflict):
    """Calls of this month may still be booked."""


@dataclass(frozen=True)
class Chargeback:
    month: str
    text: str
    lines: int


async def export(db: AsyncSession, person: Person, since: datetime) -> Chargeback:
    """The month that begins at `since`. Raises `MonthStillOpen`."""
    until = (since + timedelta(days=31)).replace(day=1)
    within = (UsageRecord.created_at >= since, UsageRecord.created_at < until)
    if until > now():
        raise MonthStillOpen("This month is not over yet.")
    if await db.scalar(select(UsageRecord.id).where(*within, UsageRecord.state == "reserved")):
        raise MonthStillOpen("Some calls of this month are not settled yet; please try again.")
    organization = await db.get_one(Organization, person.organization_id)
    rows = (await db.execute(_query().where(*within))).all()
    month = f"{since:%Y-%m}"
    text = "".join(_lines(month, organization, rows))
    await audit.record(
        db, "usage.exported", person=person, target=month, detail={"lines": len(rows)}
    )
    return Chargeback(month, text, len(rows))


def _query() -> Any:
    keys = (
        UsageRecord.feature,
        UsageRecord.provider,
        UsageRecord.model,
        UsageRecord.user_id,
        User.display_name,
        User.email,
        UsageRecord.prompt,
        UsageRecord.prompt_version,
        UsageRecord.cost_center,
    )
    record = UsageRecord
    return (
        select(
            *keys,
            func.count().label("calls"),
            func.sum(record.input_tokens).label("input_tokens"),
            func.sum(record.cached_input_tokens).label("cached_input_tokens"),
            func.sum(record.output_tokens).label("output_tokens"),
            func.sum(record.microdollars).label("microdollars"),
            func.sum(cast(record.estimated, Integer)).label("estimated"),
            func.sum(1 - cast(record.price_known, Integer)).label("unknown"),
        )
        .outerjoin(User, User.id == record.user_id)
        .where(record.state == "settled")
        .group_by(*keys)
        .order_by(record.feature, record.provider, record.model, record.user_id, record.prompt)
        .order_by(record.prompt_version, record.cost_center)
    )


def _lines(month: str, organization: Organization, rows: Any) -> Iterator[str]:
    yield _line(COLUMNS)
    for row in rows:
        yield _line(_cells(month, organization, row))


def _cells(month: str, organization: Organization, row: Row[Any]) -> tuple[object, ...]:
    return (
        month,
        organization.id,
        as_text(organization.name),
        as_text(row.feature),
        as_text(row.provider),
        as_text(row.model),
        row.user_id or "",
        # Of the app itself, and of people who are gone, the ledger knows the calls and no name.
        as_text(row.display_name or ""),
        as_text(row.email or ""),
        row.calls,
        row.input_tokens,
        row.cached_input_tokens,
        row.output_tokens,
        f"{Decimal(row.microdollars) / 1_000_000:.6f}",
        row.estimated,
        row.unknown,
        as_text(row.prompt),
        "" if row.prompt_version is None else row.prompt_version,
        as_text(row.cost_center),
    )


def _line(cells: tuple[object, ...]) -> str:
    written = StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
