"""Approve, and run what was approved as who asked, with the rights that they have now."""

from functools import partial
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.db import transaction
from app.tools import service, telling
from app.tools.models import ToolApproval
from app.tools.registry import Tool, Use
from app.tools.rights import person_now
from app.tools.running import Outcome, executed, refused

SAID = {"done": "approved and done"}
CHANGED = "What it takes has changed since it was asked for. Nothing was done."


async def approve(person: Person, approval_id: UUID, seen: str) -> Outcome:
    """Short transactions: claim it, run it, note what became of it, tell who asked.

    What a tool changes in the database and that it is done are kept together. Raises what
    `service.claim` raises.
    """
    async with transaction(organization_id=person.organization_id, user_id=person.user_id) as db:
        row, wanted = await service.claim(db, person, approval_id, seen)
    outcome = await _run(row, wanted)
    if outcome.state != "done":
        async with transaction(organization_id=row.organization_id, user_id=person.user_id) as db:
            why = outcome.text if outcome.state == "failed" else ""  # Else it is not for people.
            await service.note(db, row.id, "failed", why, outcome.reason)
    async with transaction(organization_id=row.organization_id, user_id=person.user_id) as db:
        await telling.decided(db, person, row, SAID.get(outcome.state, "approved, but it failed"))
    return outcome


async def _run(row: ToolApproval, wanted: Tool) -> Outcome:
    async with transaction(organization_id=row.organization_id, user_id=row.user_id) as db:
        asker = await person_now(db, row.user_id, row.session_id)
    if asker is None or wanted.permission not in asker.permissions:
        return refused(wanted.name, "not_permitted", wanted.title)
    try:
        # What the tool takes may have changed since it was asked for.
        arguments = wanted.arguments.model_validate(row.arguments, strict=False)
    except ValidationError:
        return Outcome(wanted.name, wanted.title, "failed", CHANGED, "arguments")
    use = Use(asker, row.conversation_id, tainted=False)
    return await executed(use, wanted, arguments, note=partial(_done, row.id))


async def _done(approval_id: UUID, db: AsyncSession, text: str) -> None:
    await service.note(db, approval_id, "done", text, "")
