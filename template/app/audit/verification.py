"""Find what was done to the log by someone who can write to the database past the app.

A changed event no longer has its hash; a missing one leaves a gap; a cut tail no longer reaches
the head. Who recomputes the whole chain is found by the anchors: heads sealed every few minutes
with a key that is not in the database.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from app.audit import chain
from app.audit.models import Anchor, Event, Head
from app.core.clock import now
from app.core.db import transaction
from app.core.pieces import in_pieces

# Anchors are made every five minutes; a worker may be down for a while.
LATE = timedelta(hours=1)
MOST_FINDINGS = 100
AT_ONCE = 500

EventRow = Event | Row[Any]


@dataclass
class Report:
    """What was found in one chain."""

    organization_id: UUID | None
    events: int = 0
    findings: list[str] = field(default_factory=list)
    """What cannot be unless somebody tampered with the log."""
    notes: list[str] = field(default_factory=list)
    """What nothing proves: events that were not anchored in time."""

    @property
    def sound(self) -> bool:
        return not self.findings


async def chains(db: AsyncSession) -> Sequence[UUID | None]:
    """Every chain that there is or ever was an anchor of. As app_auth."""
    return (
        await db.scalars(union(select(Head.organization_id), select(Anchor.organization_id)))
    ).all()


async def verify(
    db: AsyncSession, organization_id: UUID | None, kept_elsewhere: Iterable[Anchor] = ()
) -> Report:
    """Check one chain; `kept_elsewhere` are anchors that the log stream kept."""
    report = Report(organization_id)
    stored = await db.scalars(select(Anchor).where(Anchor.organization_id == organization_id))
    anchors = _genuine(report, [*stored, *kept_elsewhere])
    # The head first: what is appended while the events are read lies behind it.
    head = await db.scalar(select(Head).where(Head.organization_id == organization_id))
    query = select(*Event.__table__.columns).where(Event.organization_id == organization_id)
    if head:
        query = query.where(Event.sequence <= head.sequence)
    walk = _Walk(report, anchors)
    # By id as well: of two with one number, one of them forged, both are read.
    place = Event.__table__.columns.sequence, Event.__table__.columns.id
    async for row in in_pieces(db, query, *place, at_once=AT_ONCE):
        walk.step(row)
    walk.end(head)
    if head and await db.scalar(_behind_head(organization_id)):
        report.findings.append("The head was set back: there are events behind it.")
    return report


async def verify_every_chain(
    only: UUID | None = None, kept_elsewhere: Mapping[UUID | None, Iterable[Anchor]] | None = None
) -> list[Report]:
    kept = kept_elsewhere or {}
    async with transaction(elevated=True) as db:
        wanted = [only] if only else sorted({*await chains(db), *kept}, key=str)
    reports = []
    for organization_id in wanted:
        # Each in a transaction of its own that shows this chain and no other.
        async with transaction(elevated=True, organization_id=organization_id) as db:
            reports.append(await verify(db, organization_id, kept.get(organization_id, [])))
    return reports


def _behind_head(organization_id: UUID | None) -> Select[int]:
    """Counted in one statement, so that an append in between changes nothing."""
    head = select(Head.sequence).where(Head.organization_id == organization_id).scalar_subquery()
    return select(func.count()).where(
        Event.organization_id == organization_id, Event.sequence > head
    )


def _genuine(report: Report, anchors: Iterable[Anchor]) -> list[Anchor]:
    """The anchors that we sealed, by sequence."""
    genuine = []
    for anchor in sorted(anchors, key=lambda anchor: anchor.sequence):
        if chain.is_sealed(anchor):
            genuine.append(anchor)
        else:
            report.findings.append(f"The anchor at event {anchor.sequence} was not sealed by us.")
    return genuine


class _Walk:
    """Goes over the events in order and compares each with what must be."""

    def __init__(self, report: Report, anchors: Sequence[Anchor]) -> None:
        self.report = report
        self.anchors = deque(anchors)
        self.sequence = 0
        self.hash = chain.START
        self.unproven: list[list[int]] = []
        self.young = now() - LATE

    def step(self, event: EventRow) -> None:
        if event.sequence > self.sequence + 1:
            self._missing(self.sequence + 1, event.sequence - 1)
        elif event.previous_hash != self.hash:
            self._found(f"Event {event.sequence} does not follow from the one before it.")
        if chain.hash_of(event) != event.hash:
            self._found(f"Event {event.sequence} was changed.")
        self._compare_with_anchors(event)
        self.sequence, self.hash = event.sequence, event.hash
        self.report.events += 1

    def end(self, head: Head | None) -> None:
        reached = head.sequence if head else 0
        if head is None and (self.sequence or self.anchors):
            self._found("The head of the chain is gone.")
        if reached > self.sequence:
            self._missing(self.sequence + 1, reached)
        elif head and head.hash != self.hash:
            self._found(f"The head does not match event {head.sequence}.")
        if self.anchors and self.anchors[-1].sequence > reached:
            self._missing(max(self.sequence, reached) + 1, self.anchors[-1].sequence)
        for first, last in self.unproven:
            self.report.notes.append(
                f"{_events(first, last)} not anchored within {LATE.seconds // 60} minutes:"
                " nothing proves what happened to the log in between."
            )

    def _compare_with_anchors(self, event: EventRow) -> None:
        while self.anchors and self.anchors[0].sequence < event.sequence:
            self.anchors.popleft()  # its event is missing, which was told
        sealed_at = self.anchors[0].created_at if self.anchors else None
        if (sealed_at is None and event.created_at < self.young) or (
            sealed_at and sealed_at > event.created_at + LATE
        ):
            self._note_unproven(event.sequence)
        while self.anchors and self.anchors[0].sequence == event.sequence:
            anchor = self.anchors.popleft()
            if anchor.hash != event.hash:
                self._found(
                    f"The log up to event {event.sequence} was rewritten"
                    f" after {anchor.created_at:%Y-%m-%d %H:%M} UTC, when it was anchored."
                )

    def _note_unproven(self, sequence: int) -> None:
        if self.unproven and self.unproven[-1][1] == sequence - 1:
            self.unproven[-1][1] = sequence
        else:
            self.unproven.append([sequence, sequence])

    def _missing(self, first: int, last: int) -> None:
        self._found(f"{_events(first, last)} missing.")

    def _found(self, sentence: str) -> None:
        if len(self.report.findings) < MOST_FINDINGS:
            self.report.findings.append(sentence)


def _events(first: int, last: int) -> str:
    return f"Event {first} is" if first == last else f"Events {first} to {last} are"
