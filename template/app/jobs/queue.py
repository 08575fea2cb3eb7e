"""Work for later. The caller's transaction writes the job, a worker runs it after the commit.

    @task("reports.send", retries=5)
    async def send(report_id: UUID) -> None: ...

    await enqueue(db, "reports.send", report_id=report.id)

A job runs at least once: a worker may die after the work and before the note of it. So a handler
looks at what is already done. Arguments are ids, never content: they stand in the table in clear.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from inspect import signature
from time import monotonic
from typing import Any, ParamSpec, get_type_hints

from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import AlreadyEnqueued, TaskNotFound, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.periodic import PeriodicRegistry
from psycopg import AsyncConnection
from psycopg import Error as PsycopgError
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import tracing
from app.core.clock import now
from app.core.db import app_url
from app.core.logging import log, request_id
from app.core.metrics import SLOW_SECONDS, Counter, Histogram
from app.jobs.settings import JobsSettings
from app.modules import parts

P = ParamSpec("P")
Handler = Callable[P, Awaitable[None]]

DEFAULT_QUEUE = "default"
TRACE = "_trace"
"""The trace of who asked for a job stands among its arguments under this name."""
LONGEST_WAIT = timedelta(hours=1)
# A nightly job that fell into an outage is made up for when the workers are back.
CATCH_UP = timedelta(days=1)
CONNECT_SECONDS = 5


class _Manager(JobManager):
    async def retry_job(self, job: Job, *arguments: Any, **named: Any) -> None:
        """Tried again, but for one whose next waits already: each would wait for the other."""
        try:
            await super().retry_job(job, *arguments, **named)
        except UniqueViolation:  # of the queueing lock
            await self.finish_job(job, Status.ABORTED, delete_job=True)


queue = App(
    connector=PsycopgConnector(),
    periodic_defaults={"max_delay": CATCH_UP.total_seconds()},
)
queue.job_manager = _Manager(queue.connector)


class GiveUp(Exception):
    """Raised by a handler when trying again cannot help: the job fails for good."""


@dataclass(frozen=True)
class Attempt:
    """Which try this is, from 1, and whether another one will follow a failure."""

    number: int
    last: bool


ONLY_TRY = Attempt(1, last=True)
# Called outside a worker, a handler gets one try.
attempt: ContextVar[Attempt] = ContextVar("attempt", default=ONLY_TRY)


@dataclass(frozen=True)
class Kind:
    """A kind of job: what it is called, takes and does."""

    name: str
    arguments: type[BaseModel]
    retries: int


RUNS = Counter("app_job_runs_total", "Tries of jobs, by what came of them.", "name", "outcome")
TOOK = Histogram("app_job_seconds", "Seconds of a try.", "name", buckets=SLOW_SECONDS)

KINDS: dict[str, Kind] = {}
SCHEDULES: list[tuple[str, str]] = []


class Backoff(BaseRetryStrategy):
    """Wait twice as long after each failure, with jitter so that jobs do not return in step."""

    def __init__(self, retries: int, first_wait: float) -> None:
        self.retries = retries
        self.first_wait = first_wait

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):  # The worker stops and gives it back.
            return RetryDecision(retry_at=now())
        if isinstance(exception, GiveUp) or job.attempts >= self.retries:
            return None
        seconds = min(self.first_wait * 2.0**job.attempts, LONGEST_WAIT.total_seconds())
        jitter = random.uniform(0.5, 1)  # noqa: S311 no secret
        return RetryDecision(retry_at=now() + timedelta(seconds=seconds * jitter))


def task(
    name: str,
    *,
    retries: int = 5,
    first_wait: float = 10,
    timeout: float = 300,
    queue_name: str = DEFAULT_QUEUE,
    priority: int = 0,
) -> Callable[[Handler[P]], Handler[P]]:
    """Make an async function the handler of a kind of job.

    A failed job is tried again after about `first_wait` seconds, then twice as long, and so on.
    One try may take `timeout` seconds. Of jobs that wait, those of the highest `priority` go first.
    """

    def register(handler: Handler[P]) -> Handler[P]:
        arguments = _model_of(name, handler)

        async def run(context: JobContext, /, **stored: Any) -> None:
            job = context.job
            attempt.set(Attempt(job.attempts + 1, last=job.attempts >= retries))
            if "timestamp" not in arguments.model_fields:  # The library gives it to scheduled jobs.
                stored.pop("timestamp", None)
            request_id.set(f"job-{job.id}")  # In every line that the handler logs.
            above = tracing.of(str(stored.pop(TRACE, "")))
            with tracing.span(f"job {name}", {"app.job": name}, kind="CONSUMER", parent=above):
                await _run(name, handler, arguments, stored, seconds=timeout)

        queue.task(
            name=name,
            retry=Backoff(retries, first_wait),
            pass_context=True,
            queue=queue_name,
            priority=priority,
        )(run)
        KINDS[name] = Kind(name, arguments, retries)
        handler.job_name = name  # type: ignore[attr-defined]
        return handler

    return register


def every(cron: str) -> Callable[[Handler[P]], Handler[P]]:
    """Run a task by the clock, in UTC; write it above `@task`. It never runs twice at once."""

    def schedule(handler: Handler[P]) -> Handler[P]:
        name: str | None = getattr(handler, "job_name", None)
        if name is None:
            raise TypeError("@every stands above @task")
        SCHEDULES.append((name, cron))
        return handler

    return schedule


async def enqueue(
    db: AsyncSession,
    name: str,
    /,
    *,
    run_at: datetime | None = None,
    lock: str | None = None,
    queueing_lock: str | None = None,
    **ids: Any,
) -> int | None:
    """Write a job in the caller's transaction: it runs after the commit, or never was.

    Of jobs with one `lock`, one runs at a time, in order. With a `queueing_lock` that a waiting job
    holds already, nothing is written and None comes back.
    """
    arguments = known(name).arguments(**ids)  # Wrong arguments fail here, not in the worker.
    options: dict[str, Any] = {
        "schedule_at": run_at,
        "lock": lock,
        "queueing_lock": queueing_lock,
        "task_kwargs": arguments.model_dump(mode="json", exclude_unset=True),
    }
    if trace := tracing.carried():
        options["task_kwargs"][TRACE] = trace
    await db.flush()
    if queueing_lock is None:
        return await _write(db, name, options)
    try:
        async with db.begin_nested():  # The refusal must not spoil the caller's transaction.
            return await _write(db, name, options)
    except AlreadyEnqueued:
        return None


async def _write(db: AsyncSession, name: str, options: dict[str, Any]) -> int:
    # Asked for here: a savepoint of the session is only set when its connection is.
    pooled = await (await db.connection()).get_raw_connection()
    connection = pooled.driver_connection
    if not isinstance(connection, AsyncConnection):
        raise TypeError("Jobs are written through psycopg.")
    job = queue.configure_task(name, allow_unknown=False, connection=connection, **options)
    return await job.defer_async()


def known(name: str) -> Kind:
    """The kind of job of this name; every module's `jobs.py` is asked."""
    parts("jobs")
    if name not in KINDS:
        raise TaskNotFound(f"No module registers a job named {name!r}.")
    return KINDS[name]


@asynccontextmanager
async def opened(*, scheduled: bool) -> AsyncIterator[App]:
    """The queue with connections of its own; `scheduled` also starts jobs by the clock."""
    parts("jobs")
    url = JobsSettings.load().database_url or app_url()
    pool = AsyncConnectionPool(
        url.replace("postgresql+psycopg://", "postgresql://", 1),
        min_size=1,
        max_size=4,
        open=False,
        check=AsyncConnectionPool.check_connection,
        kwargs={"application_name": "app worker"},
    )
    registry = PeriodicRegistry()  # type: ignore[no-untyped-call]
    for name, cron in SCHEDULES if scheduled else []:
        registry.register_task(
            queue.tasks[name], cron, periodic_id="", configure_kwargs=_alone(name)
        )
    queue.periodic_registry = registry
    with queue.replace_connector(PsycopgConnector()):
        try:
            await pool.open(wait=True, timeout=CONNECT_SECONDS)
            async with queue.open_async(pool):
                yield queue
        finally:
            await pool.close()


async def run_until_empty(*queues: str) -> None:
    """Run the jobs that are due, one after the other, those they add as well."""
    async with opened(scheduled=False) as app:
        await app.run_worker_async(
            queues=list(queues) or [DEFAULT_QUEUE],
            wait=False,
            concurrency=1,
            listen_notify=False,
            install_signal_handlers=False,
            delete_jobs="successful",
        )


def _model_of(name: str, handler: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(handler)
    fields: dict[str, Any] = {
        parameter.name: (
            hints[parameter.name],
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in signature(handler).parameters.values()
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _alone(name: str) -> Any:
    return {"lock": name, "queueing_lock": name}


async def _run(
    name: str,
    handler: Callable[..., Awaitable[None]],
    arguments: type[BaseModel],
    stored: dict[str, Any],
    seconds: float,
) -> None:
    this = attempt.get()
    line = log.bind(job=name, attempt=this.number)
    began, outcome = monotonic(), "finished"
    try:
        try:
            values = dict(arguments.model_validate(stored))
        except ValidationError as error:
            raise GiveUp("The job was written for other arguments.") from error
        async with asyncio.timeout(seconds):
            await handler(**values)
    except asyncio.CancelledError:
        outcome = "given_back"
        line.warning("job.given_back")
        raise
    except Exception as error:
        if this.last or isinstance(error, GiveUp):
            outcome = "failed"
            line.error("job.failed", exc_info=error)
        else:
            outcome = "to_retry"
            # Of a broken rule of the database its name, which tells which two writers met.
            line.warning("job.to_retry", error=type(error).__name__, rule=_rule(error))
        raise
    finally:
        RUNS.add(name, outcome)
        TOOK.see(monotonic() - began, name)
    line.info("job.finished", seconds=round(monotonic() - began, 3))


def _rule(error: Exception) -> str | None:
    cause = error.orig if isinstance(error, IntegrityError) else None
    return cause.diag.constraint_name if isinstance(cause, PsycopgError) else None
