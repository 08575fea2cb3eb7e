"""Mails about budgets of the month: at 50, 80 and 100 per cent, and when a call did not fit.

Each is told once.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.mail import links
from app.mail import service as mail
from app.usage.budgets import settings_limits
from app.usage.models import UsageWarning
from app.usage.reports import month_start
from app.users.entitled import entitled, reader
from app.users.models import Organization

SHARES = (50, 80, 100)
REFUSED = 0
"""Stands for no share: a call was refused while something was left."""

DUE = text("""
    SELECT * FROM (
        SELECT c.organization_id, c.user_id, c.starts_at, c.microdollars,
               CASE WHEN c.user_id IS NULL
                   THEN least(l.microdollars_per_month, coalesce(
                       most.microdollars_per_month, CAST(:organization_month AS bigint)))
                   ELSE coalesce(l.microdollars_per_month, CAST(:person_month AS bigint))
               END AS budget,
               c.refused, c.reserved_microdollars AS held, coalesce(max(w.share), 0) AS told,
               coalesce(bool_or(w.share = :refused), false) AS refusal_told
        FROM usage_counters c
        LEFT JOIN usage_limits l ON l.organization_id = c.organization_id
             AND l.user_id IS NOT DISTINCT FROM c.user_id
        LEFT JOIN usage_ceilings most ON most.organization_id = c.organization_id
        LEFT JOIN usage_warnings w ON w.organization_id = c.organization_id
             AND w.user_id IS NOT DISTINCT FROM c.user_id AND w.starts_at = c.starts_at
        WHERE c.period = 'month' AND c.starts_at = CAST(:month AS timestamptz)
        GROUP BY c.id, l.id, most.id
    ) one
    WHERE budget > 0 AND told < 100
      AND (refused > 0 AND NOT refusal_told OR microdollars * 2 >= budget)
""")


async def send_due(db: AsyncSession) -> int:
    """Tell who may change or spends a budget; as app_auth. Gives how many mails."""
    found = settings_limits()
    rows = await db.execute(
        DUE,
        {
            "organization_month": found["organization_month"],
            "person_month": found["person_month"],
            "month": month_start(),
            "refused": REFUSED,
        },
    )
    return sum([await _tell(db, row) for row in rows.all()])


async def _tell(db: AsyncSession, row: Row[Any]) -> int:
    share = _reached(row)
    refused = row.refused > 0 and not row.refusal_told and share < SHARES[-1]
    share_is_new = share > row.told and await _is_first(db, row, share)
    refusal_is_new = refused and await _is_first(db, row, REFUSED)
    if not share_is_new and not refusal_is_new:
        return 0
    readers = (
        await reader(db, row.organization_id, row.user_id)
        if row.user_id
        else await entitled(db, row.organization_id, "usage.limit")
    )
    organization = await db.get_one(Organization, row.organization_id)
    for one in readers:
        await mail.send(
            db,
            one.email,
            "usage/warning",
            name=one.display_name,
            whose="your" if row.user_id else f"{organization.name}'s",
            share=share if share_is_new else 0,
            spent=share == SHARES[-1],
            refused=refusal_is_new,
            held=dollars(row.held) if row.held else "",
            used=dollars(row.microdollars),
            budget=dollars(row.budget),
            month=f"{row.starts_at:%B %Y}",
            again=next_month(row.starts_at),
            link=(
                links.to("/usage", api="/api/usage")
                if row.user_id
                else links.to("/admin/usage", api="/api/usage/organization")
            ),
        )
    return len(readers)


def _reached(row: Row[Any]) -> int:
    return max((one for one in SHARES if row.microdollars * 100 >= one * row.budget), default=0)


async def _is_first(db: AsyncSession, row: Row[Any], share: int) -> bool:
    """Of several that see it at once, the one that tells it. `share` may be REFUSED."""
    written = await db.scalar(
        insert(UsageWarning)
        .values(
            organization_id=row.organization_id,
            user_id=row.user_id,
            starts_at=row.starts_at,
            share=share,
        )
        .on_conflict_do_nothing(constraint="uq_usage_warnings_once")
        .returning(UsageWarning.id)
    )
    return written is not None


def dollars(microdollars: int) -> str:
    return f"${Decimal(microdollars) / 1_000_000:,.2f}"


def next_month(month: datetime) -> str:
    return f"1 {month + timedelta(days=31):%B}"
