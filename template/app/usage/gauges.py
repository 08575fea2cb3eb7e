"""What this month cost everybody together, beside the budgets."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db import elevated
from app.core.metrics import Gauge
from app.usage import installation
from app.usage.settings import UsageSettings, microdollars

SPENT = Gauge("app_spent_dollars", "Spent on models since the month began, by all organisations.")
BUDGET_OF_ALL = Gauge(
    "app_installation_budget_dollars", "What all organisations together may spend in a month."
)
SHARE_OF_ALL = Gauge(
    "app_installation_budget_used_share",
    "How much of it they used and have reserved; 0 without such a budget.",
)
FULLEST = Gauge(
    "app_budget_used_share", "How much of its month's budget the organisation nearest to it used."
)
UNUSUAL = Gauge("app_unusual_hours", "Organisations whose spending was unusual in two hours.")
BUDGET = Gauge("app_budget_dollars", "What one organisation may spend in a month by the settings.")

MONTH = text(
    "SELECT coalesce(max((c.microdollars + c.reserved_microdollars)"
    "   / nullif(least(l.microdollars_per_month, coalesce("
    "       most.microdollars_per_month, CAST(:month AS bigint))), 0)::float8), 0)"
    " FROM usage_counters c LEFT JOIN usage_limits l"
    " ON l.organization_id = c.organization_id AND l.user_id IS NULL"
    " LEFT JOIN usage_ceilings most ON most.organization_id = c.organization_id"
    " WHERE c.period = 'month' AND c.user_id IS NULL"
    " AND c.starts_at = date_trunc('month', now(), 'UTC')"
)
ANOMALIES = text(
    "SELECT count(DISTINCT organization_id) FROM usage_anomalies"
    " WHERE last_at > now() - interval '2 hours'"
)


async def read(db: AsyncSession) -> None:
    most = UsageSettings.load().organization_dollars_per_month
    BUDGET.replace(float(most or 0))
    async with elevated(db):
        share = await db.scalar(MONTH, {"month": microdollars(most)})
        everybody = await installation.read(db)
        UNUSUAL.replace(await db.scalar(ANOMALIES) or 0)
    SPENT.replace(everybody.spent / 1_000_000)
    BUDGET_OF_ALL.replace((everybody.budget or 0) / 1_000_000)
    SHARE_OF_ALL.replace(everybody.share)
    FULLEST.replace(share or 0)
