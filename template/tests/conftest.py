"""A real PostgreSQL, transactions that really commit, and no cleaning up in between.

Each test makes an organisation and people of its own; row-level security keeps tests apart as it
keeps customers apart.
"""

import asyncio
import gc
import logging
import os
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["APP_ENV"] = "test"
# What this machine has in .env is nothing to tests, and to read it took most of a setting's time.
os.environ["APP_ENV_FILE"] = ""
os.environ.setdefault("PUBLIC_URL", "https://testserver")
# No test spends money: a key that this machine has set would reach a real provider.
os.environ["LLM_PROVIDER"] = "stand_in"
# Whatever was answered at generation, tests start from the same rules and set what they need.
os.environ |= {
    "SIGN_UP_MODE": "open",
    "SIGN_UP_DOMAINS": "[]",
    "SIGN_UP_ORGANIZATION": "shared",
    "SESSION_SECOND_FACTOR": "optional",
    "SESSION_IDLE_MINUTES": "30",
    "SESSION_ABSOLUTE_HOURS": "12",
    "USAGE_PERSON_TOKENS_PER_HOUR": "240000",
    "USAGE_PERSON_TOKENS_PER_DAY": "960000",
    "USAGE_ORGANIZATION_DOLLARS_PER_MONTH": "50",
    # Tests of one process share the database, and all of them together spend more than one may.
    "USAGE_INSTALLATION_DOLLARS_PER_MONTH": "",
    "ASSISTANT_RETENTION_DAYS": "90",
    "DATABASE_POOL_SIZE": "10",
    # Who counts alone for a while, as the machine is busy, counts otherwise than a test expects.
    "LIMITS_DATABASE_SECONDS": "10",
    "DOCUMENTS_SCANNER": "none",
    "METRICS_TOKEN": "",
    # Many tests ask the same question twice and count what reaches the model.
    "CACHE_ANSWERS": "off",
    # What is drawn at random would come and go between two runs.
    "REVIEW_SAMPLE": "{}",
    "REVIEW_SECOND_SHARE": "0",
    "CACHE_CHECKED_PERCENT": "0",
    "MONITORING_SAMPLE_PERCENT": "0",
    # Of all tests together no person would believe that they are people.
    "ABUSE_FAILURES_USUAL": "1000000",
    "ABUSE_SIGN_UPS_USUAL": "1000000",
}
# Cheap on purpose; production refuses such parameters.
os.environ.setdefault("PASSWORD_MEMORY_KIB", "8")
os.environ.setdefault("PASSWORD_ROUNDS", "1")

import httpx2
import psycopg
import pytest

from app.core import embedded

# The app itself only where it is used: the process that shares out the tests needs none of it, and
# all others wait for it.
if TYPE_CHECKING:
    from fastapi import FastAPI
    from playwright.async_api import Browser
    from sqlalchemy.ext.asyncio import AsyncSession

    from app.core.settings import ModuleSettings

# What is imported stays; looking through it for garbage was a tenth of the time.
gc.set_threshold(50_000, 20, 20)
# The client's own line about each request of a test; the app writes one, too.
logging.getLogger("httpx2").setLevel("WARNING")

ROOT = Path(__file__).parent.parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One more than there are cores: while one waits for the database, another works."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What scripts/costly_tests.py wrote down carries the marker `costly`."""
    written = ROOT / "tests" / "costly.txt"
    costly = {*written.read_text(encoding="utf-8").splitlines()} if written.exists() else set()
    for item in items:
        if item.nodeid.removeprefix("tests/").partition("[")[0] in costly:
            item.add_marker("costly")


def pytest_collection_finish() -> None:
    """What was imported stays: to look through it once more at the end took most of a second."""
    gc.freeze()


# Longer than a test takes that looks at sums of an hour.
LAST_SECONDS_OF_AN_HOUR = 5


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What is counted by the hour, the day or the month would be two when a test goes over its end,
    so none begins shortly before."""
    left = -time.time() % 3600
    if left < LAST_SECONDS_OF_AN_HOUR:
        time.sleep(left)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def even_seconds() -> float:
    """How long answers wait that may not tell who has an account. Only tests of that wait, too."""
    from app.auth import even_time

    real = even_time.SECONDS
    even_time.SECONDS = 0.0
    return real


@pytest.fixture(scope="session", autouse=True)
def patient_health() -> None:
    """The first look of a process imports and reads all migrations: seconds on a busy machine."""
    from app.core import health

    health.SECONDS = 60.0


@pytest.fixture(scope="session", autouse=True)
def database() -> Iterator[embedded.Urls]:
    """A database of this test process's own, migrated once."""
    from app.core import database_roles, migrate

    given = os.environ.get("TEST_DATABASE_ADMIN_URL")
    name = f"test_{os.getpid()}_{secrets.token_hex(3)}"
    if given:
        password = secrets.token_hex(16)
        database_roles.create_roles(
            given, database="app", app_password=password, owner_password=password
        )
        raise_to = {"app": f"app:{password}", "app_owner": f"app_owner:{password}"}
        host = given.partition("://")[2].rpartition("@")[2]
        server = embedded.Urls(
            *(f"postgresql://{raise_to[role]}@{host}" for role in ("app", "app_owner")), given
        )
    else:
        server = embedded.start(
            ROOT / ".local" / "test-database", environment="test", durable=False
        )
    _drop_those_of_killed_runs(server.admin)
    template = os.environ.get("TEST_DATABASE_TEMPLATE")  # one that is migrated already
    database_roles.create_database(server.admin, name, template)
    urls = server.of(name)
    os.environ["DATABASE_URL"], os.environ["DATABASE_OWNER_URL"] = urls.app, urls.owner
    forget_settings()
    if template is None:
        migrate.upgrade()
    yield urls
    database_roles.drop_database(server.admin, name)


@pytest.fixture(scope="session", autouse=True)
async def one_loop(database: embedded.Urls, anyio_backend: str) -> AsyncIterator[None]:
    """All tests of a process share an event loop, whichever of them comes first: what a test leaves
    open, such as a pool of connections, would otherwise belong to a loop that is gone."""
    from app.limits import connections

    yield
    with suppress(RuntimeError):  # Opened within an `asyncio.run` of a test: gone with its loop.
        await connections.close()


def _drop_those_of_killed_runs(admin_url: str) -> None:
    from app.core import database_roles

    with psycopg.connect(admin_url) as admin:
        found = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'")
        names = [str(name) for (name,) in found]
    for name in names:
        number = name.split("_")[1]
        if number.isdecimal() and not Path(f"/proc/{number}").exists() and Path("/proc").exists():
            database_roles.drop_database(admin_url, name)


_read: dict[str, str] = {}


def forget_settings() -> None:
    """Read the environment anew, as far as it changed: all of it takes as long as a whole test."""
    from app.core import db
    from app.core.settings import LOADED

    now = dict(os.environ)
    # What follows "__" is a part of the setting before it.
    changed = {
        name.partition("__")[0]
        for name in now.keys() | _read.keys()
        if now.get(name) != _read.get(name)
    }
    _read.clear()
    _read.update(now)
    # Within a module settings may look at each other, and all of them look at those of the core.
    modules = {_module(kind) for kind in LOADED if _variables(kind) & changed}
    for kind in list(LOADED):
        if "core" in modules or _module(kind) in modules:
            del LOADED[kind]
    db.app_url.cache_clear()
    db.owner_url.cache_clear()


@cache
def _variables(kind: "type[ModuleSettings]") -> set[str]:
    found = {f"{kind.model_config['env_prefix']}{field}" for field in kind.model_fields}
    for field in kind.model_fields.values():
        alias = field.validation_alias
        found |= {str(one) for one in getattr(alias, "choices", [alias])}
    return {name.upper() for name in found}


def _module(kind: type) -> str:
    return kind.__module__.split(".")[1]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set settings for one test: `configure(SIGN_UP="invitation")`."""

    def set_all(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        forget_settings()

    yield set_all
    monkeypatch.undo()
    forget_settings()


@pytest.fixture(scope="session")
async def app(database: embedded.Urls, anyio_backend: str) -> "AsyncIterator[FastAPI]":
    # It asks for `anyio_backend` for tests that are not async: one could not come first in its
    # process, and with it all failed there that want the app.
    from app.main import create_app

    made = create_app()
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture(autouse=True)
def answers_as_described() -> Iterator[None]:
    """Every status that the API answers with stands in its description: `responses=may(...)`."""
    from tests.described import undescribed

    yield
    found = sorted({*undescribed})
    undescribed.clear()
    assert found == []


@pytest.fixture
async def client(app: "FastAPI") -> AsyncIterator[httpx2.AsyncClient]:
    """A browser of its own, at an address of its own, so that nobody shares its limits."""
    async with new_client(app) as made:
        yield made


@pytest.fixture
def new_browser(app: "FastAPI") -> Callable[[], httpx2.AsyncClient]:
    """Further browsers: `async with new_browser() as other:`."""
    return lambda: new_client(app)


_ports = random.sample(range(20_000, 32_000), 1000)


def free_port() -> int:
    """Below those that Linux gives to outgoing connections and to whoever asks for any port: one of
    them may be taken before a process that was just started listens."""
    while True:
        port = _ports.pop()
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


_networks = count()


def new_network() -> str:
    """The first three parts of an address that nobody had before: drawn at random two would meet,
    and share what one of them has used up."""
    number = next(_networks)
    return f"10.{number // 254 % 254 + 1}.{number % 254 + 1}"


def new_client(app: "FastAPI") -> httpx2.AsyncClient:
    from tests.described import Described

    address = f"{new_network()}.7"
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(
            app=Described(app), client=(address, 1), raise_app_exceptions=False
        ),
        base_url="https://testserver",
        headers={"Sec-Fetch-Site": "same-origin"},
    )


@pytest.fixture
async def auth_db(database: embedded.Urls) -> "AsyncIterator[AsyncSession]":
    """A transaction as app_auth, to arrange and to look; commit to let others see."""
    from app.core import db

    async with db.transaction(elevated=True) as session:
        yield session


@pytest.fixture(scope="session")
async def chromium(anyio_backend: str) -> "AsyncIterator[Browser]":
    """Here, for a fixture that modules import is one of each, and each would start a browser."""
    from tests.web.chromium import running

    async with running() as browser:
        yield browser


@pytest.fixture
async def live_server(app: "FastAPI") -> AsyncIterator[str]:
    """The app behind a real socket: what streams must be seen through."""
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=0, log_config=None, lifespan="off", access_log=False
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


@pytest.fixture
async def race(live_server: str) -> AsyncIterator[Callable[..., Awaitable[list[httpx2.Response]]]]:
    """Twenty requests at once, each on a connection of its own to a server that listens.

    `send(browser, number)` sends one; the browsers given are used in turn.
    """
    from tests.sockets import Sockets

    sockets: list[Sockets] = []

    async def run(send: Callable[..., Awaitable[Any]], *browsers: httpx2.AsyncClient) -> list[Any]:
        for browser in browsers:
            browser._transport = Sockets(live_server)
            sockets.append(browser._transport)
        return await asyncio.gather(
            *(send(browsers[number % len(browsers)], number) for number in range(20))
        )

    yield run
    for one in sockets:
        await one.aclose()
