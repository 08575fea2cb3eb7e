import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from procrastinate.exceptions import TaskNotFound
from pydantic import ValidationError
from sqlalchemy import text

from app.core.clock import now
from app.core.db import elevated, transaction
from app.core.errors import NotFound
from app.jobs import service
from app.jobs.queue import SCHEDULES, attempt, enqueue, every, run_until_empty, task
from tests.factories import make_organization
from tests.jobs.sample_jobs import QUEUE, notes, seen
from tests.leftovers import no_old_jobs as no_old_jobs


async def status_of(job_id: int | None) -> str | None:
    query = text("SELECT status::text FROM procrastinate_jobs WHERE id = :id")
    async with transaction() as db:
        return await db.scalar(query, {"id": job_id})


async def test_a_job_runs_after_the_commit_and_leaves_no_row(tmp_path):
    path = tmp_path / "notes"
    async with transaction() as db:
        job_id = await enqueue(db, "sample.note", path=str(path))
        await run_until_empty(QUEUE)
        assert notes(path) == []

    await run_until_empty(QUEUE)

    assert notes(path) == ["ran"]
    assert await status_of(job_id) is None


async def test_a_rollback_takes_the_job_with_it(tmp_path):
    path = tmp_path / "notes"
    with suppress(RuntimeError):
        async with transaction() as db:
            await enqueue(db, "sample.note", path=str(path))
            raise RuntimeError

    await run_until_empty(QUEUE)

    assert notes(path) == []


async def test_a_rolled_back_savepoint_takes_only_its_own_job(tmp_path):
    path = tmp_path / "notes"
    async with transaction() as db:
        await enqueue(db, "sample.note", path=str(path), word="outer")
        async with db.begin_nested() as savepoint:
            await enqueue(db, "sample.note", path=str(path), word="inner")
            await savepoint.rollback()

    await run_until_empty(QUEUE)

    assert notes(path) == ["outer"]


async def test_a_job_can_be_written_as_app_auth(tmp_path):
    path = tmp_path / "notes"
    async with transaction() as db, elevated(db):
        assert await db.scalar(text("SELECT current_user")) == "app_auth"
        await enqueue(db, "sample.note", path=str(path), word="inside")
        later = {"path": str(path), "word": "later", "run_at": now(), "queueing_lock": str(path)}
        assert await enqueue(db, "sample.note", **later) is not None
        assert await enqueue(db, "sample.note", **later) is None

    await run_until_empty(QUEUE)

    assert notes(path) == ["inside", "later"]


async def test_app_auth_may_write_jobs_and_nothing_else():
    for statement in (
        "SELECT args FROM procrastinate_jobs",
        "UPDATE procrastinate_jobs SET attempts = 0",
        "DELETE FROM procrastinate_jobs",
        "SELECT procrastinate_register_worker_v1()",
    ):
        with pytest.raises(Exception, match="permission denied"):
            async with transaction(elevated=True) as db:
                await db.execute(text(statement))


async def test_wrong_arguments_fail_where_they_are_written():
    async with transaction() as db:
        with pytest.raises(ValidationError):
            await enqueue(db, "sample.note", word="no path")
        with pytest.raises(ValidationError):
            await enqueue(db, "sample.note", path="x", colour="green")
        with pytest.raises(TaskNotFound):
            await enqueue(db, "sample.unheard_of")


async def test_arguments_come_back_as_what_they_were():
    got: list[object] = []

    @task("sample.typed", queue_name=QUEUE)
    async def typed(message_id: UUID, day: int = 1) -> None:
        got.extend([message_id, day])

    message_id = uuid4()
    async with transaction() as db:
        await enqueue(db, "sample.typed", message_id=message_id)

    await run_until_empty(QUEUE)

    assert got == [message_id, 1]


async def test_with_a_queueing_lock_one_job_waits_and_the_transaction_goes_on(tmp_path):
    path = tmp_path / "notes"
    async with transaction() as db:
        lock = str(path)
        first = await enqueue(db, "sample.note", path=str(path), word="one", queueing_lock=lock)
        second = await enqueue(db, "sample.note", path=str(path), word="two", queueing_lock=lock)
        await enqueue(db, "sample.note", path=str(path), word="three")

    await run_until_empty(QUEUE)

    assert first is not None
    assert second is None
    assert notes(path) == ["one", "three"]


async def test_a_job_waits_for_its_time(tmp_path):
    path = tmp_path / "notes"
    async with transaction() as db:
        later = now() + timedelta(hours=1)
        job_id = await enqueue(db, "sample.note", path=str(path), run_at=later)

    await run_until_empty(QUEUE)
    assert notes(path) == []

    async with transaction() as db:  # An hour later.
        moved = "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE id = :id"
        await db.execute(text(moved), {"id": job_id})
    await run_until_empty(QUEUE)
    assert notes(path) == ["ran"]


async def run_until_settled(path: str, tries: int) -> None:
    async with asyncio.timeout(30):
        while len(seen.get(path, [])) < tries:
            await run_until_empty(QUEUE)
            await asyncio.sleep(0.02)


async def test_a_failure_is_tried_again():
    path = str(uuid4())
    async with transaction() as db:
        job_id = await enqueue(db, "sample.fails", path=path, times=2)

    await run_until_settled(path, 3)

    assert [(one.number, one.last) for one in seen[path]] == [(1, False), (2, False), (3, True)]
    assert await status_of(job_id) is None


async def test_a_job_that_failed_for_good_is_listed_and_can_be_run_again():
    path = str(uuid4())
    async with transaction() as db:
        job_id = await enqueue(db, "sample.fails", path=path, times=3)
        with pytest.raises(NotFound):
            await service.retry(db, job_id or 0)
    await run_until_settled(path, 3)

    async with transaction() as db:
        failed = {job.id: job for job in await service.failed(db)}
        assert (await service.counts(db))["failed"] >= 1
    assert job_id in failed
    assert failed[job_id].attempts == 3
    assert failed[job_id].failed_at is not None

    async with transaction() as db:
        await service.retry(db, job_id)
    await run_until_empty(QUEUE)

    assert seen[path][-1].number == 1
    assert await status_of(job_id) is None


async def test_the_log_names_the_rule_of_the_database_that_a_job_broke(app, caplog):
    taken = (await make_organization()).slug
    async with transaction() as db:
        await enqueue(db, "sample.twice", slug=taken)

    await run_until_empty(QUEUE)

    lines = [one.msg for one in caplog.records if isinstance(one.msg, dict)]
    [retried] = [one for one in lines if one.get("event") == "job.to_retry"]
    assert (retried["error"], retried["rule"]) == ("IntegrityError", "uq_organizations_slug")
    assert taken not in str(retried)


async def test_giving_up_fails_at_once(tmp_path):
    path = tmp_path / "notes"
    async with transaction() as db:
        job_id = await enqueue(db, "sample.hopeless", path=str(path))

    await run_until_empty(QUEUE)

    assert notes(path) == ["tried"]
    assert await status_of(job_id) == "failed"


async def test_a_job_that_hangs_is_stopped():
    async with transaction() as db:
        job_id = await enqueue(db, "sample.hangs")

    async with asyncio.timeout(30):
        await run_until_empty(QUEUE)

    assert await status_of(job_id) == "failed"


async def test_jobs_of_an_older_release_fail_when_their_arguments_no_longer_fit(tmp_path):
    async with transaction() as db:
        job_id = await enqueue(db, "sample.note", path=str(tmp_path / "notes"))
        await db.execute(
            text("UPDATE procrastinate_jobs SET args = '{\"gone\": 1}' WHERE id = :id"),
            {"id": job_id},
        )

    await run_until_empty(QUEUE)

    assert await status_of(job_id) == "failed"


def test_outside_a_worker_a_handler_has_one_try():
    assert (attempt.get().number, attempt.get().last) == (1, True)


def test_only_tasks_can_be_scheduled():
    with pytest.raises(TypeError):

        @every("* * * * *")
        async def nothing() -> None: ...


def test_the_modules_schedules_are_found():
    assert ("jobs.remove_old", "23 * * * *") in SCHEDULES


async def test_old_failures_are_removed():
    async with transaction() as db:
        old = await enqueue(db, "sample.hopeless", path="/dev/null")
        new = await enqueue(db, "sample.hopeless", path="/dev/null")
    await run_until_empty(QUEUE)
    async with transaction() as db:
        await db.execute(
            text("UPDATE procrastinate_events SET at = at - interval '31 days' WHERE job_id = :id"),
            {"id": old},
        )
        await enqueue(db, "jobs.remove_old")

    await run_until_empty()

    assert await status_of(old) is None
    assert await status_of(new) == "failed"
