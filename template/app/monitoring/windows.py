"""The calls of two windows, counted by the database: this week's, and those of the weeks before.

Both are whole weeks, so that weekends stand in both. The organisation is the transaction's.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.monitoring.drift_tests import Window
from app.monitoring.judging import CRITERIA

CURRENT, REFERENCE = timedelta(days=7), timedelta(days=28)
BOXES, LARGEST = 48, 12
"""Lengths are put into boxes by their logarithm: each is about a quarter longer than the last."""

# One pass over the rows for all measures. Of a person and a day the first call counts: people who
# ask twenty times about one thing would otherwise look like a drift each week.
CALLS = text(f"""
    SELECT feature, is_current, measure, box, count(*) AS calls FROM (
        SELECT feature, created_at >= :current AS is_current, seen.measure, seen.box
        FROM (SELECT DISTINCT ON (feature, asker) * FROM monitoring_calls
            WHERE organization_id = :organization_id
              AND created_at >= :reference AND created_at < :until
            ORDER BY feature, asker, created_at
        ) AS first_of_the_day,
        LATERAL (VALUES
            ('question length',
             width_bucket(ln(question_characters + 1), 0, {LARGEST}, {BOXES})::text),
            ('answer length', CASE WHEN outcome = 'answered' THEN
             width_bucket(ln(answer_characters + 1), 0, {LARGEST}, {BOXES})::text END),
            ('confidence', CASE WHEN outcome = 'answered' THEN (confidence / 5)::text END),
            ('language', language),
            ('topic', topic::text),
            ('ended', CASE WHEN guard <> '' THEN 'stopped' WHEN outcome = 'answered' AND declined
             THEN 'declined' ELSE outcome END)
        ) AS seen (measure, box)
    ) AS one
    WHERE box IS NOT NULL GROUP BY 1, 2, 3, 4
""")  # noqa: S608 only numbers of ours are put in
THUMBS = text("""
    SELECT feature, created_at >= :current AS is_current,
           count(*) FILTER (WHERE rating = 'up') AS hits, count(*) AS of
    FROM (SELECT DISTINCT ON (r.feature, f.user_id, date_trunc('day', f.created_at, 'UTC'))
              r.feature, f.created_at, f.rating
          FROM feedback f JOIN usage_records r ON r.id = f.call_id
          WHERE f.organization_id = :organization_id
            AND f.created_at >= :reference AND f.created_at < :until
          ORDER BY r.feature, f.user_id, date_trunc('day', f.created_at, 'UTC'), f.created_at
    ) AS first_of_the_day
    GROUP BY 1, 2
""")
JUDGED = text(f"""
    SELECT feature, created_at >= :current AS is_current, {
    ", ".join(
        f"count(*) FILTER (WHERE {name}) AS {name}, count({name}) AS of_{name}" for name in CRITERIA
    )
} FROM monitoring_judgements
    WHERE organization_id = :organization_id AND state = 'judged'
      AND created_at >= :reference AND created_at < :until
    GROUP BY 1, 2
""")  # noqa: S608 only names of ours are put in
ORDERED = ("question length", "answer length", "confidence")
NAMED = ("language", "topic")

Pair = tuple[Window, Window]
"""The reference, and this week."""


async def read(db: AsyncSession, organization_id: Any, until: datetime) -> Mapping[str, Pair]:
    """Both windows of each feature that was used in them."""
    values = {
        "organization_id": organization_id,
        "current": until - CURRENT,
        "reference": until - CURRENT - REFERENCE,
        "until": until,
    }
    found: dict[str, Pair] = defaultdict(lambda: (Window(), Window()))
    ended: dict[tuple[str, bool], Counter[str]] = {}
    for row in await db.execute(CALLS, values):
        window = found[row.feature][row.is_current]
        if row.measure in ORDERED:
            window.ordered.setdefault(row.measure, Counter())[int(row.box)] += row.calls
        elif row.measure in NAMED:
            window.named.setdefault(row.measure, Counter())[row.box] += row.calls
        else:
            ended.setdefault((row.feature, row.is_current), Counter())[row.box] += row.calls
    for (feature, is_current), counts in ended.items():
        shares, answered = found[feature][is_current].shares, counts["answered"]
        said_no = counts["declined"]
        shares["stopped"] = counts["stopped"], counts.total()
        shares["failed"] = counts["failed"], counts.total()
        shares["declined"] = said_no, answered + said_no
    for row in await db.execute(THUMBS, values):
        found[row.feature][row.is_current].shares["thumbs"] = row.hits, row.of
    for judged in (await db.execute(JUDGED, values)).mappings():
        shares = found.setdefault(judged["feature"], (Window(), Window()))[
            judged["is_current"]
        ].shares
        shares |= {name: (judged[name], judged[f"of_{name}"]) for name in CRITERIA}
    return found


def told(measure: str, window: Window) -> str:
    """What the window says of this measure, for people."""
    if counts := window.ordered.get(measure):
        box, reached = 0, 0
        for box in sorted(counts):
            reached += counts[box]
            if reached * 2 >= counts.total():
                break
        if measure == "confidence":
            return f"about {box * 5} % for half of all"
        length = math.exp((box - 0.5) * LARGEST / BOXES)
        return f"about {length:,.0f} characters for half of all"
    if names := window.named.get(measure):
        most = [
            f"{name or 'unknown'} {count / names.total():.0%}"
            for name, count in names.most_common(3)
        ]
        return ("box " if measure == "topic" else "") + ", ".join(most)
    hits, of = window.shares.get(measure, (0, 0))
    return f"{hits / of:.1%}" if of else ""
