"""What is written down when a call has ended, in one transaction, whatever happens meanwhile."""

import asyncio
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg.errors import ForeignKeyViolation
from sqlalchemy.exc import SQLAlchemyError

from app.core.direct import Direct, direct
from app.core.logging import log
from app.llm.call import Call
from app.llm.draft import Draft
from app.llm.errors import NoLongerHere
from app.llm.life import Life
from app.usage import service as usage
from app.usage.service import Reservation, Used

TRIES = 4
SECONDS_BETWEEN_TRIES = 0.5
# A server that vanished ends no connection: nobody would ever hear of it.
SECONDS_PER_TRY = 10.0
IS_THERE: LiteralString = "SELECT FROM organizations WHERE id = %(id)s"
MAY_PASS = (SQLAlchemyError, psycopg.OperationalError, OSError, TimeoutError)

_settling: set[asyncio.Task[None]] = set()


class NotKept(Exception):
    """Whoever keeps the answer cannot."""


async def drain() -> None:
    """Wait until every call that has ended is settled."""
    while _settling:
        await asyncio.wait(_settling)


async def settled(call: Call, way: Life) -> None:
    """Run what comes after a call. Raises when an answered one cannot be written down."""
    if call.draft is not None:
        call.draft.tainted |= (call.sent or call.reused) and call.tainted
        if call.goes_on:
            call.draft = None  # Kept with the call that comes to an answer.
    # A task of its own: whoever left has been cancelled, and what is booked must be booked.
    task = asyncio.create_task(_conclude(call, way))
    _settling.add(task)
    task.add_done_callback(_settling.discard)
    if call.draft is not None:
        call.draft.is_taken = True
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        # Who comes next finds the answer stored, and its conversation free.
        await asyncio.wait({task})
        raise


async def booked(reservation: Reservation, used: Used, outcome: str) -> None:
    """Settle what went past the gateway. It is done when this ends, whoever is cancelled meanwhile.

    Raises when it cannot be written down.
    """
    task = asyncio.create_task(_book(reservation, used, outcome))
    _settling.add(task)
    task.add_done_callback(_settling.discard)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _book(reservation: Reservation, used: Used, outcome: str) -> None:
    own = {"organization_id": reservation.organization_id, "user_id": reservation.user_id}
    for left in reversed(range(TRIES)):
        try:
            async with asyncio.timeout(SECONDS_PER_TRY), direct(**own) as db:
                await usage.settle(db, reservation, used, outcome)
            return
        except (SQLAlchemyError, psycopg.Error, OSError, TimeoutError) as error:
            await _refuse_gone(error, reservation.organization_id, reservation.call_id)
            told = {"call_id": str(reservation.call_id), "error": type(error).__name__}
            log.error("llm.not_settled", left=left, **told)
            if not left:
                raise
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)


async def _refuse_gone(error: Exception, organization_id: UUID, call_id: UUID) -> None:
    """Raise `NoLongerHere` when nothing can be booked because the organisation was deleted.

    What was reserved for the call counts as spent since then, in the sum of all organisations.
    """
    if not isinstance(error, ForeignKeyViolation):
        return
    async with direct(organization_id=organization_id) as db:
        if await db.fetch(IS_THERE, {"id": organization_id}):
            return
    log.info("llm.organization_gone", call_id=str(call_id))
    raise NoLongerHere("Your organisation was deleted, so the answer ended.") from error


async def _conclude(call: Call, way: Life) -> None:
    await call.close()  # Once more: who is cancelled may not have come to the end of it.
    failed = await _try_until_done(call, way)
    _end(call, way)
    if failed and call.outcome == "answered":
        raise failed


def _end(call: Call, way: Life) -> None:
    for step in way.ended:
        try:
            step.ended(call)
        except Exception:  # noqa: BLE001 what is only counted costs nobody the answer
            log.exception("llm.step_failed", step=step.name, call_id=str(call.id))


async def _try_until_done(call: Call, way: Life) -> Exception | None:
    """The error of a step, or of the last try."""
    for left in reversed(range(TRIES)):
        try:
            async with asyncio.timeout(SECONDS_PER_TRY):
                return await _run_after(call, way, again=left < TRIES - 1)
        except (SQLAlchemyError, psycopg.Error, NotKept, OSError, TimeoutError) as error:
            try:
                await _refuse_gone(error, call.person.organization_id, call.id)
            except NoLongerHere as gone:
                return gone
            log.error(
                "llm.not_settled", call_id=str(call.id), left=left, error=type(error).__name__
            )
            if call.draft is not None and (not left or not isinstance(error, MAY_PASS)):
                # What is used must be booked, also when the answer cannot be kept: its caller may.
                call.draft.is_taken = False
                call.draft = None
            elif left:
                await asyncio.sleep(SECONDS_BETWEEN_TRIES)
            failed: Exception = error
    return failed


async def _run_after(call: Call, way: Life, *, again: bool) -> Exception | None:
    """One transaction for all. A step that fails keeps no other one from its work."""
    failed: Exception | None = None
    async with direct(
        organization_id=call.person.organization_id, user_id=call.person.user_id
    ) as db:
        if again and await usage.is_settled(db, call.id):
            return None  # Only the reply to the commit was lost: nothing is written twice.
        for step in way.after:
            try:
                await step.after(call, db)
            except (SQLAlchemyError, psycopg.Error):
                raise
            except Exception as error:  # noqa: BLE001 what is used must be booked, whatever failed
                log.exception("llm.step_failed", step=step.name, call_id=str(call.id))
                failed = error
        if call.draft is not None:
            await _keep(call, call.draft, db, failed)
    return failed


async def _keep(call: Call, draft: Draft, db: Direct, failed: Exception | None) -> None:
    problem = call.problem or failed
    try:
        await draft.keep(db, draft.outcome(problem, None if problem else call.done()))
    except (SQLAlchemyError, psycopg.Error):
        raise
    except Exception as error:
        raise NotKept from error
