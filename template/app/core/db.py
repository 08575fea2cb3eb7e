"""The database: one request or job is one transaction, committed before the answer leaves.

The app logs in as a role that owns nothing. Row-level security shows a transaction the rows of
the organisation that was set for it; with none set it shows nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from functools import cache
from time import monotonic
from typing import Annotated, Any
from uuid import UUID
from weakref import WeakKeyDictionary

from fastapi import Depends
from psycopg import AsyncConnection
from psycopg import Error as PsycopgError
from sqlalchemy import DateTime, MetaData, TextClause, event, exc, func, text
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core import embedded
from app.core.errors import CannotStart
from app.core.ids import uuid7
from app.core.metrics import Gauge
from app.core.settings import get_settings

IDLE_SECONDS_BEFORE_PING = 30
AUTH_ROLE = "app_auth"
OPENING_AT_ONCE = 2
SECONDS_BEHIND_OTHERS = 1.0
"""So long at most a connection waits until others are open."""
SECONDS_TO_FILL = 1.0


class Base(DeclarativeBase):
    """A table with an id that sorts by time and the time of its making."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-2)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=-1)


def sqlalchemy_url(url: str) -> str:
    """Name the driver: psycopg is the one for queue, migrations and ORM."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise ValueError("DATABASE_URL must start with postgresql://")
    return "postgresql+psycopg://" + rest


@cache
def app_url() -> str:
    """Where the app logs in; starts the embedded server when no DATABASE_URL is set."""
    return get_settings().database_url or _embedded().app


@cache
def owner_url() -> str:
    """Where migrations log in."""
    settings = get_settings()
    if settings.database_owner_url:
        return settings.database_owner_url
    if settings.database_url:
        raise CannotStart(
            "DATABASE_OWNER_URL is not set: migrations log in as the owner of the tables,"
            " the app must not."
        )
    return _embedded().owner


@cache
def _embedded() -> embedded.Urls:
    settings = get_settings()
    return embedded.start(
        settings.database_folder,
        environment=settings.app_env,
        durable=settings.app_env != "test",
    )


def driver_options() -> dict[str, Any]:
    """What a connection of the app is opened with, whoever opens it."""
    return {} if get_settings().database_prepared else {"prepare_threshold": None}


class Opener:
    """Opens connections a few at a time: proving the password takes 3 ms of the event loop, and
    the pool wants a burst's connections all at once. Nobody waits long for those that hang.
    """

    def __init__(self) -> None:
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
        self._turns = WeakKeyDictionary()  # An engine may serve several loops, one after the other.

    async def __call__(self, *where: Any, **options: Any) -> AsyncConnection[Any]:
        loop = asyncio.get_running_loop()
        turn = self._turns.setdefault(loop, asyncio.Semaphore(OPENING_AT_ONCE))
        try:
            async with asyncio.timeout(SECONDS_BEHIND_OTHERS):
                await turn.acquire()
        except TimeoutError:
            return await AsyncConnection.connect(*where, **options)
        try:
            return await AsyncConnection.connect(*where, **options)
        finally:
            turn.release()


@cache
def engine() -> AsyncEngine:
    made = create_async_engine(
        sqlalchemy_url(app_url()),
        pool_size=get_settings().database_pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_recycle=1800,
        connect_args=driver_options() | {"async_creator_fn": Opener()},
        hide_parameters=True,  # what people wrote does not reach the log with an error
    )
    event.listen(made.sync_engine, "checkout", _ping_after_idling)
    event.listen(made.sync_engine, "checkin", _remember_use)
    return made


async def fill() -> None:
    """Open all connections that the pool keeps, before a burst needs them at once.

    Those held here are missed by requests, so what takes long is left to these.
    """
    async with AsyncExitStack() as held:
        with suppress(exc.SQLAlchemyError, PsycopgError, OSError, TimeoutError):
            async with asyncio.timeout(SECONDS_TO_FILL):
                pool: Any = engine().pool
                while pool.checkedin() + pool.checkedout() < pool.size():
                    await held.enter_async_context(engine().connect())


def _connections(counted: str) -> float:
    """Of the pool, without making it."""
    pool: Any = engine().pool if engine.cache_info().currsize else None
    return 0 if pool is None else getattr(pool, counted)()


Gauge(
    "app_db_connections_used",
    "Connections of the pool in use.",
    read=lambda: _connections("checkedout"),
)
Gauge(
    "app_db_connections_most",
    "Connections that the pool may have.",
    read=lambda: get_settings().database_pool_size,
)


_doubted_at = 0.0


def doubt() -> None:
    """A connection is gone: when the server has restarted, so are all others of the pool."""
    global _doubted_at
    _doubted_at = monotonic()


def _remember_use(_: Any, record: Any) -> None:
    record.info["used"] = monotonic()


def _ping_after_idling(connection: Any, record: Any, _: Any) -> None:
    """A ping on each checkout costs a round trip; one after a pause finds dead connections too."""
    used = record.info.get("used")
    if used is None or used > max(_doubted_at, monotonic() - IDLE_SECONDS_BEFORE_PING):
        return
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
        connection.rollback()
    except PsycopgError as error:
        raise exc.DisconnectionError from error


@cache
def new_session() -> async_sessionmaker[AsyncSession]:
    # close_resets_only=False: a session used after its transaction ended fails loudly.
    return async_sessionmaker(engine(), expire_on_commit=False, close_resets_only=False)


async def close() -> None:
    """Give the connections back; the next use opens new ones."""
    if engine.cache_info().currsize:
        await engine().dispose()
    engine.cache_clear()
    new_session.cache_clear()


async def get_db() -> AsyncIterator[AsyncSession]:
    """Commit when the endpoint returns, roll back when it raises."""
    async with new_session().begin() as db:
        yield db


# scope="function" commits before the response is sent, so a 201 is never a lie.
Database = Annotated[AsyncSession, Depends(get_db, scope="function")]


@asynccontextmanager
async def transaction(
    *,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    elevated: bool = False,
) -> AsyncIterator[AsyncSession]:
    """A transaction outside a request: a job, a command, the two ends of a model call."""
    async with new_session().begin() as db:
        await set_context(db, organization_id=organization_id, user_id=user_id, elevated=elevated)
        yield db


async def set_context(
    db: AsyncSession,
    *,
    organization_id: UUID | None = None,
    user_id: UUID | None = None,
    elevated: bool = False,
) -> None:
    """Say for whom the rest of this transaction works. One round trip; gone at its end."""
    wanted = {"app.organization_id": organization_id, "app.user_id": user_id}
    chosen = {name: str(value) for name, value in wanted.items() if value is not None}
    if elevated:
        chosen["role"] = AUTH_ROLE
        db.info["elevated"] = True
    if chosen:
        await db.execute(_setting(len(chosen)), _numbered(chosen))


@cache
def _setting(count: int) -> TextClause:
    """The statement that sets so many settings of a transaction, made once."""
    return text("SELECT " + ", ".join(f"set_config(:n{i}, :v{i}, true)" for i in range(count)))


def _numbered(chosen: dict[str, str]) -> dict[str, str]:
    names = {f"n{i}": name for i, name in enumerate(chosen)}
    return names | {f"v{i}": value for i, value in enumerate(chosen.values())}


@asynccontextmanager
async def elevated(db: AsyncSession) -> AsyncIterator[AsyncSession]:
    """Inside, the transaction works as `app_auth`: the role that may see credentials."""
    if db.info.get("elevated"):
        yield db
        return
    await db.flush()
    await _become(db, AUTH_ROLE)
    try:
        yield db
        await db.flush()
    except BaseException:
        # A failed transaction can only roll back, and takes the role with it.
        with suppress(exc.SQLAlchemyError):
            await _become(db, "none")
        raise
    await _become(db, "none")


async def _become(db: AsyncSession, role: str) -> None:
    await db.execute(text("SELECT set_config('role', :role, true)"), {"role": role})
    db.info["elevated"] = role == AUTH_ROLE
