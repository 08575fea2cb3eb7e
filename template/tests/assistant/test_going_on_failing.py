"""Going on by itself when something is in the way: rights, budgets, switches, a killed worker."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from app.core import db, migrate
from app.flags import service as flags
from app.flags import state
from app.jobs.queue import run_until_empty
from app.llm.errors import ModelDown
from app.modules import has
from app.usage.jobs import sweep
from tests.assistant.going import (
    DONE,
    LAST,
    approved,
    in_own_queue,
    office,
    organization,
    said,
    told_of,
    waits_in_queue,
    work,
)
from tests.conftest import ROOT
from tests.factories import make_role
from tests.flags.conftest import operators
from tests.llm.wire_server import Behaviour
from tests.tools.conftest import plays, says, tool
from tests.tools.test_approvals import paid
from tests.usage.conftest import limit, person_of

__all__ = ["office", "operators", "paid", "plays", "tool"]


async def test_who_may_no_longer_use_it_is_not_answered(office, plays, paid, model):
    someone = office.asker.someone
    role = await make_role(someone.organization_id, {"feedback.give"})
    for changed in ("suspended_at = now()", f"role = '{role}'"):
        conversation = await approved(office, plays)
        await membership(someone, changed)
        asked = len(model.requests)
        await work(office)
        assert len(model.requests) == asked
        await membership(someone, "suspended_at = NULL, role = 'member'")
        assert await told_of(office, conversation) == DONE


async def membership(someone, changed: str) -> None:
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(f"UPDATE memberships SET {changed} WHERE user_id = :id"), {"id": someone.user_id}
        )


async def test_budgets_and_switches_bind_it_and_it_is_said(office, plays, paid, model, operators):
    spent = await approved(office, plays)
    person = person_of(office.asker.someone)
    await limit(person, person.user_id, calls_per_hour=2)
    await work(office)
    sentence = await told_of(office, spent)
    assert sentence.startswith(f"{DONE} No answer came. Your calls for this hour are used up.")
    await limit(person, person.user_id, calls_per_hour=100)

    for name in ("model.assistant", "model.assistant.went_on"):
        off = await approved(office, plays)
        for enabled in (False, True):
            async with db.transaction(elevated=True) as session:
                await flags.set_flag(
                    session, name, enabled=enabled, reason="-", organization_id=operators
                )
            await state.kept.refresh()
            await work(office)
        assert "No answer came. This is switched off" in await told_of(office, off)
    assert len(model.requests) == 6
    # The conversation is free for the next question.
    await office.asker.ask(off, "Are you there?")
    assert (await said(office, off))[-1] == ("assistant", "Ada has it.")


async def test_a_deleted_conversation_stays_deleted(office, plays, paid, model):
    conversation = await approved(office, plays)
    gone = await office.asker.client.delete(f"/api/conversations/{conversation}")
    assert gone.status_code == 204
    await work(office)
    found = await office.asker.client.get(f"/api/conversations/{conversation}")
    assert found.status_code == 404
    assert len(model.requests) == 2
    # Also when it is deleted while the model answers.
    later = await approved(office, plays)
    behaves = Behaviour(words=("Too late.",), hold=asyncio.Event())
    model.choose = lambda _: behaves
    running = asyncio.create_task(work(office))
    async with asyncio.timeout(60):
        while len(model.requests) < 5:
            await asyncio.sleep(0.01)
    assert (await office.asker.client.delete(f"/api/conversations/{later}")).status_code == 204
    behaves.hold.set()
    await running
    async with db.transaction(
        organization_id=office.asker.someone.organization_id, user_id=office.asker.someone.user_id
    ) as session:
        assert await session.scalar(text("SELECT count(*) FROM messages")) == 0


async def test_a_model_that_is_down_is_asked_again_and_in_the_end_it_is_said(
    office, plays, paid, model, configure
):
    configure(LLM_RETRIES=0, LLM_BREAKER_FAILURES=0)
    down = Behaviour(status=500)
    conversation = await approved(office, plays, 5, down)
    # The queue itself tries again later,
    assert await in_own_queue(office) == 1
    await run_until_empty(organization(office)["id"])
    assert len(await waits_in_queue(office)) == 1
    *_, event = await office.asker.messages(conversation)
    assert (event["text"], event["metadata"]["went_on"]) == (DONE, False)
    if has("web"):
        page = await office.asker.client.get(f"/chat/{conversation}")
        assert "still being written" in page.text
    # and meanwhile the conversation is open for questions.
    plays(says("Yes."))
    await office.asker.ask(conversation, "Are you there?")
    plays(says("Ada has it."))
    await work(office)
    *_, event, answer, _, later = await office.asker.messages(conversation)
    assert (event["role"], answer["text"], later["text"]) == ("event", "Ada has it.", "Yes.")

    other = await approved(office, plays, 6, down)
    with pytest.raises(ModelDown):
        await work(office, LAST)
    sentence = await told_of(office, other)
    assert sentence.startswith(f"{DONE} No answer came. ")


WORKER = """
import asyncio, os, sys
from app import worker
from app.assistant import going_on
async def die(*_):
    os._exit(9)
if sys.argv[2] == "dies":
    going_on._keep = die
asyncio.run(worker.run(queues=[sys.argv[1]]))
"""
# As if all the time had passed that a call and its end may take.
LATER = (
    "UPDATE usage_records SET expires_at = now() WHERE organization_id = :id",
    "UPDATE conversations SET answering_until = now() WHERE organization_id = :id",
)


@pytest.mark.dear
async def test_a_worker_killed_before_the_commit_leaves_one_answer_and_no_debt(
    office, plays, paid, model, database
):
    conversation = await approved(office, plays)
    own = organization(office)
    assert await in_own_queue(office) == 1
    async with worker(own["id"], "dies") as process, asyncio.timeout(120):
        assert await process.wait() == 9
    assert len(model.requests) == 3
    # The tool of this test has no title in other processes.
    done = DONE.replace("Pay", "pay_out")
    *_, event = await office.asker.messages(conversation)
    assert (event["text"], event["metadata"]["went_on"]) == (done, False)
    with migrate.connected(database.admin) as connection:
        for later in LATER:
            connection.execute(text(later), own)
        connection.commit()
    await sweep()
    async with worker(own["id"], "lives"), asyncio.timeout(120):
        while await in_own_queue(office):
            await asyncio.sleep(0.1)

    assert (await said(office, conversation))[2:] == [("event", done), ("assistant", "Ada has it.")]
    assert paid == [(office.asker.someone.user_id, 5)]
    with migrate.connected(database.admin) as connection:
        counted = connection.execute(
            text(
                "SELECT state, count(*) FROM usage_records WHERE organization_id = :id"
                " GROUP BY state"
            ),
            own,
        )
        assert dict(tuple(row) for row in counted) == {"settled": 3, "released": 1}
        held = connection.scalar(
            text(
                "SELECT sum(reserved_tokens + reserved_calls) FROM usage_counters"
                " WHERE organization_id = :id"
            ),
            own,
        )
        assert held == 0


@asynccontextmanager
async def worker(queue: str, how: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own that works on one queue."""
    quick = {
        "JOBS_POLL_SECONDS": "0.5",
        "JOBS_HEARTBEAT_SECONDS": "0.2",
        "JOBS_STALLED_SECONDS": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, queue, how),
        cwd=ROOT,
        env=os.environ | quick,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
