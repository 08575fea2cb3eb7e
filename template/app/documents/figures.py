"""How good an organisation's documents are as a source: completeness, consistency, timeliness.

Counts over all of them, also those that the person who asks cannot read; no names, no text.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import now
from app.core.db import elevated
from app.documents.settings import DocumentsSettings

SUMS = text(
    "SELECT count(*) FILTER (WHERE state = 'ready') AS ready,"
    " count(*) FILTER (WHERE state = 'waiting') AS waiting,"
    " count(*) FILTER (WHERE state = 'failed') AS failed,"
    " count(*) FILTER (WHERE state = 'refused') AS refused,"
    " coalesce(sum(size), 0) AS bytes,"
    " coalesce(sum((reading->>'passages')::bigint) FILTER (WHERE state = 'ready'), 0) AS passages,"
    " min(created_at) FILTER (WHERE state = 'waiting') AS waiting_since,"
    " percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ready_at - created_at))"
    "   FILTER (WHERE ready_at IS NOT NULL) AS seconds_to_ready,"
    " count(*) FILTER (WHERE state = 'ready' AND created_at < :stale) AS stale,"
    " coalesce(sum((reading->>'pages')::bigint) FILTER (WHERE state = 'ready'), 0) AS pages,"
    " coalesce(sum((reading->>'pages_without_text')::bigint) FILTER (WHERE state = 'ready'), 0)"
    "   AS empty_pages,"
    " count(*) FILTER (WHERE state = 'ready' AND (reading->'warnings') ?|"
    "   ARRAY['encoding_repaired', 'characters_removed', 'much_junk']) AS mended"
    " FROM documents WHERE organization_id = :organization_id AND state <> 'uploading'"
)
CELLS = text(
    "SELECT coalesce(sum((d.reading->>'rows')::bigint), 0),"
    " coalesce(sum((c->>'filled')::bigint), 0), coalesce(sum((c->>'fitting')::bigint), 0)"
    " FROM documents d CROSS JOIN LATERAL jsonb_array_elements(d.reading->'columns') c"
    " WHERE d.organization_id = :organization_id AND d.state = 'ready' AND d.kind = 'csv'"
)
REASONS = text(
    "SELECT reason, count(*) FROM documents WHERE organization_id = :organization_id"
    " AND state = 'refused' GROUP BY reason ORDER BY count(*) DESC, reason"
)
INDEX = text(
    "SELECT live, live_kind, building, building_kind, built_at FROM document_indexes"
    " WHERE organization_id = :organization_id"
)
BUILT = text(
    "SELECT count(DISTINCT document_id) FROM passages"
    " WHERE organization_id = :organization_id AND version = :version"
)


@dataclass(frozen=True)
class Figures:
    ready: int
    waiting: int
    failed: int
    refused: int
    bytes: int
    passages: int
    waiting_since: datetime | None
    seconds_to_ready: float | None
    """The median from the upload to the moment it can be found."""
    stale: int
    pages: int
    empty_pages: int
    mended: int
    """Documents whose text had to be repaired, or is poor."""
    cells: int
    filled_cells: int
    fitting_cells: int
    """Cells that hold what the rest of their column holds."""
    reasons: dict[str, int] = field(default_factory=dict)
    index: int = 1
    index_kind: str = ""
    building: int | None = None
    built: int = 0
    """Documents that the index under construction has already."""
    built_at: datetime | None = None

    @property
    def completeness(self) -> float | None:
        """The share of cells that are filled and of pages that have text."""
        return _share(self.filled_cells + self.pages - self.empty_pages, self.cells + self.pages)

    @property
    def consistency(self) -> float | None:
        """The share of filled cells that are of their column's kind."""
        return _share(self.fitting_cells, self.filled_cells)

    @property
    def soundness(self) -> float | None:
        """The share of documents whose text needed no repair."""
        return _share(self.ready - self.mended, self.ready)

    @property
    def timeliness(self) -> float | None:
        """The share of documents that are younger than the settings call out of date."""
        return _share(self.ready - self.stale, self.ready)


def _share(some: int, whole: int) -> float | None:
    return some / whole if whole else None


async def of_organization(db: AsyncSession, organization_id: UUID) -> Figures:
    stale = now() - timedelta(days=DocumentsSettings.load().stale_days)
    whose = {"organization_id": organization_id}
    async with elevated(db):
        sums = (await db.execute(SUMS, whose | {"stale": stale})).one()
        rows, filled, fitting = (await db.execute(CELLS, whose)).one()
        reasons = {str(row[0]): int(row[1]) for row in await db.execute(REASONS, whose)}
        index = (await db.execute(INDEX, whose)).one_or_none()
        built = 0
        if index is not None and index.building is not None:
            built = await db.scalar(BUILT, whose | {"version": index.building}) or 0
    # Sums come as decimals.
    told: dict[str, Any] = {
        name: int(value) if isinstance(value, Decimal) else value
        for name, value in sums._mapping.items()
    }
    seconds = told.pop("seconds_to_ready")
    return Figures(
        **told,
        seconds_to_ready=None if seconds is None else float(seconds),
        cells=int(rows),
        filled_cells=int(filled),
        fitting_cells=int(fitting),
        reasons=reasons,
        index=index.live if index else 1,
        index_kind=index.live_kind if index else "",
        building=index.building if index else None,
        built=built,
        built_at=index.built_at if index else None,
    )
