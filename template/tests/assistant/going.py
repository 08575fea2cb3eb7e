"""A conversation in which something waits for approval, and the job that goes on with it."""

from uuid import UUID

import pytest
from sqlalchemy import text

from app.assistant import going_on
from app.core import db
from app.jobs.queue import Attempt, attempt
from tests.factories import make_organization, make_user
from tests.llm.wire_server import Behaviour
from tests.review.conftest import Office
from tests.tools.conftest import asks, says, uses
from tests.tools.test_approvals import approve, first

ONE_OF_SOME, LAST = Attempt(1, last=False), Attempt(6, last=True)
DONE = "“Pay” was approved and is done."


@pytest.fixture
async def office(browser_of):
    one = await make_organization()
    return Office(
        await browser_of(await make_user(one, password=False)),
        await browser_of(await make_user(one, role="reviewer", password=False)),
        await browser_of(await make_user(role="admin", password=False)),
    )


async def waiting(office, plays, amount: int = 5, *then: Behaviour) -> str:
    """A conversation in which something waits; the model then says what is in `then`."""
    then = then or (says("Ada has it."),)
    plays(asks(("pay_out", {"amount": amount})), says("It waits."), *then)
    conversation = await office.asker.new()
    events = await office.asker.ask(conversation, "Pay Ada five.")
    assert uses(events) == [("pay_out", "waiting", "")]
    return conversation


async def approved(office, plays, amount: int = 5, *then: Behaviour) -> str:
    conversation = await waiting(office, plays, amount, *then)
    answer = await approve(office.reviewer, await first(office.reviewer))
    assert answer.status_code == 200, answer.text
    return conversation


OURS = "task_name = 'assistant.go_on' AND args ->> 'organization_id' = :id"


def organization(office) -> dict[str, str]:
    return {"id": str(office.asker.someone.organization_id)}


async def waits_in_queue(office) -> list[dict]:
    """What the jobs of this organisation are told."""
    query = f"SELECT args FROM procrastinate_jobs WHERE {OURS} AND status = 'todo' ORDER BY id"
    async with db.transaction() as session:
        return list(await session.scalars(text(query), organization(office)))


async def work(office, this: Attempt = ONE_OF_SOME) -> None:
    """Run what waits in the queue, also what waits for later."""
    found = await waits_in_queue(office)
    async with db.transaction() as session:
        await session.execute(
            text(f"DELETE FROM procrastinate_jobs WHERE {OURS}"), organization(office)
        )
    token = attempt.set(this)
    try:
        for one in found:
            await going_on.go_on(*ids(one))
    finally:
        attempt.reset(token)


async def in_own_queue(office) -> int:
    """Let no other worker take them, and nobody wait: how many there are."""
    move = "UPDATE procrastinate_jobs SET queue_name = :id, scheduled_at = NULL"
    async with db.transaction() as session:
        await session.execute(
            text(f"{move} WHERE {OURS} AND status = 'todo'"), organization(office)
        )
        count = text(f"SELECT count(*) FROM procrastinate_jobs WHERE {OURS}")
        return int(await session.scalar(count, organization(office)) or 0)


def ids(job: dict) -> tuple[UUID, UUID, UUID]:
    """What the job is called with."""
    return UUID(job["approval_id"]), UUID(job["organization_id"]), UUID(job["user_id"])


async def said(office, conversation: str) -> list[tuple[str, str]]:
    return [(role, words) for role, words, _ in await office.asker.said(conversation)]


async def told_of(office, conversation: str) -> str:
    """What the conversation says of the approval; nothing comes behind it."""
    found = await office.asker.messages(conversation)
    assert [one["role"] for one in found] == ["user", "assistant", "event"]
    assert found[-1]["metadata"]["went_on"] is True
    return found[-1]["text"]
