"""Mails to who may read about what was seen: one a kind, organisation and hour at most."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.abuse.models import AbuseSighting
from app.abuse.words import KINDS, MEASURES
from app.core.clock import now
from app.mail import links
from app.mail import service as mail
from app.users.entitled import entitled
from app.users.models import Organization

QUIET = timedelta(hours=1)


async def send_due(db: AsyncSession) -> int:
    """Tell of what nobody was told of yet, but for kinds told of within the hour; as app_auth."""
    query = select(AbuseSighting).where(AbuseSighting.alerted_at.is_(None))
    waiting = (await db.scalars(query.order_by(AbuseSighting.id))).all()
    told = await db.execute(
        select(AbuseSighting.organization_id, AbuseSighting.kind)
        .where(AbuseSighting.alerted_at > now() - QUIET)
        .distinct()
    )
    quiet = {(organization_id, kind) for organization_id, kind in told}
    sent = 0
    for (organization_id, kind), group in groupby(sorted(waiting, key=_kind), key=_kind):
        if (organization_id, kind) not in quiet:
            sent += await _tell(db, organization_id, kind, list(group))
    return sent


def _kind(one: AbuseSighting) -> tuple[UUID, str]:
    return one.organization_id, one.kind


async def _tell(
    db: AsyncSession, organization_id: UUID, kind: str, seen: Sequence[AbuseSighting]
) -> int:
    organization = await db.get_one(Organization, organization_id)
    readers = await entitled(db, organization_id, "abuse.read")
    for one in readers:
        await mail.send(
            db,
            one.email,
            "abuse/seen",
            name=one.display_name,
            organization=organization.name,
            what=KINDS.get(kind, kind),
            times="once" if len(seen) == 1 else f"{len(seen)} times",
            first=f"{min(sighting.created_at for sighting in seen):%Y-%m-%d %H:%M}",
            done=_done(seen),
            link=links.to(
                f"/admin/abuse?show=seen&of={kind}", api=f"/api/abuse/sightings?kind={kind}"
            ),
        )
    moment = now()
    for sighting in seen:
        sighting.alerted_at = moment
    return len(readers)


def _done(seen: Sequence[AbuseSighting]) -> str:
    counted = Counter(one.measure for one in seen if one.measure)
    return ", ".join(f"{MEASURES[name]}: {count}" for name, count in counted.items()) or "nothing"
