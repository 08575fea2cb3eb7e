"""Look for drift once a day, write down what was seen, and tell each drift once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import service as audit
from app.core.clock import now
from app.core.db import transaction
from app.core.ids import uuid7
from app.core.logging import log
from app.mail import links
from app.mail import service as mail
from app.monitoring import windows
from app.monitoring.drift_tests import Reading, compared
from app.monitoring.models import DriftAlert, DriftReading, MonitoredCall
from app.monitoring.settings import MonitoringSettings
from app.monitoring.windows import Pair
from app.users.entitled import entitled
from app.users.models import Organization

QUIET = timedelta(days=7)
"""A drift that is not seen for so long is over; the next one is told anew."""


async def look_everywhere() -> int:
    """Look at every organisation that was busy lately. Gives how many drifts were told."""
    until, told = now(), 0
    since = until - windows.CURRENT
    busy = (
        select(MonitoredCall.id)
        .where(MonitoredCall.organization_id == Organization.id)
        .where(MonitoredCall.created_at >= since)
        .exists()
    )
    async with transaction(elevated=True) as db:
        found = list(await db.scalars(select(Organization.id).where(busy)))
    failed: Exception | None = None
    for organization_id in found:
        try:
            told += await look(organization_id, until)
        except Exception as error:  # noqa: BLE001 the others are looked at all the same
            log.error("monitoring.drift_not_seen", organization_id=organization_id)
            failed = error
    if failed is not None:
        raise failed
    return told


async def look(organization_id: UUID, until: datetime) -> int:
    """One organisation. Read as its own people read, written as app_auth."""
    async with transaction(organization_id=organization_id) as db:
        pairs = await windows.read(db, organization_id, until)
    settings, told = MonitoringSettings.load(), 0
    for feature, pair in sorted(pairs.items()):
        readings = compared(*pair, alpha=settings.drift_alpha, least=settings.drift_least_calls)
        async with transaction(elevated=True) as db:
            await _keep(db, organization_id, feature, pair, readings, until)
            told += await _tell(db, organization_id, feature, pair, readings, until)
    async with transaction(elevated=True) as db:
        await db.execute(
            update(DriftAlert)
            .where(DriftAlert.organization_id == organization_id, DriftAlert.ended_at.is_(None))
            .where(DriftAlert.last_at < until - QUIET)
            .values(ended_at=until)
        )
    return told


async def _keep(
    db: AsyncSession,
    organization_id: UUID,
    feature: str,
    pair: Pair,
    readings: Sequence[Reading],
    until: datetime,
) -> None:
    day = until.replace(hour=0, minute=0, second=0, microsecond=0)
    for one in readings:
        values = {
            "kind": one.kind,
            "reference": one.reference,
            "current": one.current,
            "effect": one.effect,
            "p_value": one.p_value,
            "adjusted": one.adjusted,
            "drifted": one.drifted,
            "before": windows.told(one.measure, pair[0])[:80],
            "after": windows.told(one.measure, pair[1])[:80],
        }
        place = {
            "organization_id": organization_id,
            "feature": feature,
            "measure": one.measure,
            "day": day,
        }
        await db.execute(
            insert(DriftReading)
            .values(id=uuid7(), **place, **values)
            .on_conflict_do_update(index_elements=[*place], set_=values)
        )


async def _tell(
    db: AsyncSession,
    organization_id: UUID,
    feature: str,
    pair: Pair,
    readings: Sequence[Reading],
    until: datetime,
) -> int:
    new = []
    for one in readings:
        if not one.drifted:
            continue
        seen = {
            "effect": one.effect,
            "adjusted": one.adjusted,
            "before": windows.told(one.measure, pair[0])[:80],
            "after": windows.told(one.measure, pair[1])[:80],
            "last_at": until,
        }
        goes_on = await db.scalar(
            update(DriftAlert)
            .where(DriftAlert.organization_id == organization_id, DriftAlert.feature == feature)
            .where(DriftAlert.measure == one.measure, DriftAlert.ended_at.is_(None))
            .values(**seen)
            .returning(DriftAlert.id)
        )
        if goes_on is not None:
            continue
        made = DriftAlert(
            id=uuid7(),
            organization_id=organization_id,
            feature=feature,
            measure=one.measure,
            **seen,
        )
        db.add(made)
        new.append(made)
    await db.flush()
    for alert in new:
        await audit.record(
            db,
            "monitoring.drift",
            organization_id=organization_id,
            target=alert.id,
            detail={"feature": feature, "measure": alert.measure, "effect": f"{alert.effect:.3f}"},
        )
    if new:
        await _mail(db, organization_id, feature, new)
    return len(new)


async def _mail(
    db: AsyncSession, organization_id: UUID, feature: str, new: Sequence[DriftAlert]
) -> None:
    organization = await db.get_one(Organization, organization_id)
    for one in await entitled(db, organization_id, "monitoring.read"):
        await mail.send(
            db,
            one.email,
            "monitoring/drift",
            name=one.display_name,
            organization=organization.name,
            feature=feature,
            changes=[f"{alert.measure}: {alert.before} → {alert.after}" for alert in new],
            link=links.to("/monitoring/drift", api="/api/monitoring/drift"),
        )


async def alerts(db: AsyncSession, since: datetime) -> Sequence[DriftAlert]:
    """Those that go on, and those told since; the newest first."""
    query = select(DriftAlert).where(
        (DriftAlert.ended_at.is_(None)) | (DriftAlert.created_at >= since)
    )
    return (await db.scalars(query.order_by(DriftAlert.id.desc()))).all()


async def readings(db: AsyncSession, since: datetime) -> Sequence[DriftReading]:
    """By feature and measure, in the order of days."""
    query = select(DriftReading).where(DriftReading.day >= since)
    return (
        await db.scalars(
            query.order_by(DriftReading.feature, DriftReading.measure, DriftReading.day)
        )
    ).all()
