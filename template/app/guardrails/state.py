"""What organisations want stricter, as this process knows it: asking costs no statement.

While the database is away, what was known last holds; before anything is known, models are not
called.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from app.clocks.kept import Kept
from app.core.db import transaction
from app.core.errors import Unavailable
from app.guardrails.models import GuardSettings
from app.guardrails.stricter import NOTHING, Stricter, stricter


class GuardsNotLoaded(Unavailable):
    """Nobody knows yet what the organisation's guards must stop."""


async def of(organization_id: UUID) -> Stricter:
    """What this organisation has set. Raises `GuardsNotLoaded`."""
    return (await kept.ready()).get(organization_id, NOTHING)


async def _all() -> Mapping[UUID, Stricter]:
    newest = (
        select(GuardSettings)
        .ext(distinct_on(GuardSettings.organization_id))
        .order_by(GuardSettings.organization_id, GuardSettings.version.desc())
    )
    async with transaction(elevated=True) as db:
        return {
            row.organization_id: stricter(
                row.organization_id,
                row.version,
                row.actions,
                row.words,
                "block" if row.words_action == "block" else "review",
            )
            for row in await db.scalars(newest)
        }


kept = Kept("guards", _all, GuardsNotLoaded)
