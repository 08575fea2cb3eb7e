"""What waits for approval: ask, look, decide. Nobody can change what was asked for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

import orjson
from sqlalchemy import column, func, select, table, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.audit import service as audit
from app.core.clock import now
from app.core.crypto import keyed_digest, same
from app.core.errors import Conflict, Forbidden, NotFound
from app.core.ids import uuid7
from app.tools import telling
from app.tools.decided import Decided, tell
from app.tools.models import ToolApproval
from app.tools.registry import Arguments, Tool, Use, tools
from app.tools.settings import ToolsSettings

Show = Literal["all", "waiting", "decided"]
PEOPLE = table("users", column("id"), column("display_name"))
# Beyond the time of the tool itself.
SECONDS_TO_NOTE = 60


class NoSuchApproval(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such approval.")


class NotWaiting(Conflict):
    """It was decided before, or its time has passed."""


class NotWhatWasShown(Conflict):
    """What is to be approved is not what the person has seen."""


class YourOwnRequest(Forbidden):
    """Somebody else must look at it."""


@dataclass(frozen=True)
class Shown:
    """An approval as people see it."""

    row: ToolApproval
    title: str
    asker: str
    decider: str | None


async def ask(db: AsyncSession, use: Use, wanted: Tool, arguments: Arguments) -> UUID:
    """Let it wait. The same question in the same conversation waits once."""
    given = arguments.model_dump(mode="json")
    person = use.person
    waiting = await db.scalars(
        select(ToolApproval).where(
            ToolApproval.user_id == person.user_id,
            ToolApproval.conversation_id.is_not_distinct_from(use.conversation_id),
            ToolApproval.tool == wanted.name,
            ToolApproval.state == "waiting",
            ToolApproval.expires_at > now(),
        )
    )
    for one in waiting:
        if one.arguments == given:
            return one.id
    made = ToolApproval(
        id=uuid7(),
        organization_id=person.organization_id,
        user_id=person.user_id,
        session_id=person.session_id,
        conversation_id=use.conversation_id,
        tool=wanted.name,
        arguments=given,
        expires_at=now() + timedelta(hours=ToolsSettings.load().approval_hours),
    )
    made.fingerprint = fingerprint(made)
    db.add(made)
    await db.flush()
    await telling.waits(db, person, made, wanted)
    return made.id


def fingerprint(of: ToolApproval) -> str:
    """Of what will run, as whom, with what."""
    parts = [of.id, of.organization_id, of.user_id, of.conversation_id, of.tool, of.arguments]
    text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()
    return keyed_digest(text, "tool approval").hex()[:64]


def entitled(person: Person) -> list[str]:
    """The tools whose use this person may approve: those that are theirs as well."""
    found = (one for one in tools().values() if one.stakes == "high")
    return [one.name for one in found if one.permission in person.permissions]


async def listed(
    db: AsyncSession,
    person: Person,
    *,
    show: Show = "all",
    before: UUID | None = None,
    most: int = 50,
) -> tuple[Sequence[Shown], UUID | None]:
    """What this person may decide and what they asked for, the newest first, from behind `before`.

    And where the next page begins. What waited too long does not wait any more.
    """
    waits = (ToolApproval.state == "waiting") & (ToolApproval.expires_at > now())
    query = select(ToolApproval).where(
        ToolApproval.tool.in_(entitled(person)) | (ToolApproval.user_id == person.user_id)
    )
    if show != "all":
        query = query.where(waits if show == "waiting" else ~waits)
    if before:
        query = query.where(ToolApproval.id < before)
    rows = (await db.scalars(query.order_by(ToolApproval.id.desc()).limit(most + 1))).all()
    page = rows[:most]
    return await _shown(db, page), page[-1].id if len(rows) > most else None


async def found(db: AsyncSession, person: Person, approval_id: UUID) -> ToolApproval:
    """Raises `NoSuchApproval`, also for what is none of this person's business."""
    row = await db.get(ToolApproval, approval_id)
    if row is None or (row.tool not in entitled(person) and row.user_id != person.user_id):
        raise NoSuchApproval
    return row


async def shown(db: AsyncSession, person: Person, approval_id: UUID) -> Shown:
    return (await _shown(db, [await found(db, person, approval_id)]))[0]


async def own(db: AsyncSession, user_id: UUID, approval_id: UUID) -> ToolApproval | None:
    """What someone asked for themselves."""
    row = await db.get(ToolApproval, approval_id)
    return row if row is not None and row.user_id == user_id else None


async def failures(db: AsyncSession, conversation_id: UUID) -> int:
    """How often something failed in this conversation that was approved within a day."""
    lately = ToolApproval.decided_at > now() - timedelta(days=1)
    query = select(func.count()).where(
        ToolApproval.conversation_id == conversation_id, ToolApproval.state == "failed", lately
    )
    return await db.scalar(query) or 0


async def outcomes(
    db: AsyncSession, person: Person, ids: Collection[UUID]
) -> dict[UUID, dict[str, str]]:
    """What became of each of these that someone asked for themselves, as it is told of a use."""
    if not ids:
        return {}
    query = select(ToolApproval).where(
        ToolApproval.id.in_(ids), ToolApproval.user_id == person.user_id
    )
    return {
        one.id: {"state": state_of(one), "reason": one.reason}
        | ({"result": one.result} if one.result else {})
        for one in await db.scalars(query)
    }


def state_of(row: ToolApproval) -> str:
    return "expired" if row.state == "waiting" and row.expires_at <= now() else row.state


async def _shown(db: AsyncSession, rows: Sequence[ToolApproval]) -> list[Shown]:
    ids = {one.user_id for one in rows} | {one.decided_by for one in rows if one.decided_by}
    query = select(PEOPLE).where(PEOPLE.c.id.in_(ids))
    names = {row.id: row.display_name for row in await db.execute(query)} if ids else {}
    known = tools()
    return [
        Shown(
            row=one,
            title=known[one.tool].title if one.tool in known else one.tool,
            asker=names.get(one.user_id, ""),
            decider=names.get(one.decided_by) if one.decided_by else None,
        )
        for one in rows
    ]


async def claim(
    db: AsyncSession, person: Person, approval_id: UUID, seen: str
) -> tuple[ToolApproval, Tool]:
    """Approve, once: of many at the same time exactly one goes on to run it.

    Raises `NoSuchApproval`, `YourOwnRequest`, `NotWhatWasShown` or `NotWaiting`.
    """
    row = await found(db, person, approval_id)
    if row.tool not in entitled(person):
        raise NoSuchApproval
    if ToolsSettings.load().four_eyes and row.user_id == person.user_id:
        raise YourOwnRequest("Someone else must approve what you asked for.")
    if not (same(seen, row.fingerprint) and same(row.fingerprint, fingerprint(row))):
        raise NotWhatWasShown("This is not what you were shown. Please look at it again.")
    wanted = tools()[row.tool]
    seconds = (wanted.seconds or ToolsSettings.load().seconds) + SECONDS_TO_NOTE
    await _decide(
        db, person, row, state="running", running_until=now() + timedelta(seconds=seconds)
    )
    await audit.record(db, "tool.approved", person=person, target=row.id, detail={"tool": row.tool})
    return row, wanted


async def decline(db: AsyncSession, person: Person, approval_id: UUID) -> None:
    """Say no, also to what one asked for oneself."""
    row = await found(db, person, approval_id)
    await _decide(db, person, row, state="declined")
    await tell(db, Decided(row.id, row.organization_id, row.user_id, row.conversation_id))
    await telling.decided(db, person, row, "declined")
    await audit.record(db, "tool.declined", person=person, target=row.id, detail={"tool": row.tool})


async def _decide(db: AsyncSession, person: Person, row: ToolApproval, **values: object) -> None:
    decided = await db.scalar(
        update(ToolApproval)
        .where(
            ToolApproval.id == row.id,
            ToolApproval.state == "waiting",
            ToolApproval.expires_at > now(),
        )
        .values(decided_by=person.user_id, decided_at=now(), **values)
        .returning(ToolApproval.id)
        .execution_options(synchronize_session=False)
    )
    if decided is None:
        raise NotWaiting("This was decided before, or its time has passed.")


async def note(db: AsyncSession, approval_id: UUID, state: str, result: str, reason: str) -> None:
    """What became of one that was approved."""
    noted = await db.execute(
        update(ToolApproval)
        .where(ToolApproval.id == approval_id, ToolApproval.state == "running")
        .values(state=state, result=result, reason=reason[:40], running_until=None)
        .returning(
            ToolApproval.id,
            ToolApproval.organization_id,
            ToolApproval.user_id,
            ToolApproval.conversation_id,
        )
        .execution_options(synchronize_session=False)
    )
    for row in noted:  # None when its time had passed, and that was told.
        await tell(db, Decided(*row))
