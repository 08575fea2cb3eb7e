"""Alive means the process answers; ready means that everything it depends on does, too."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from time import monotonic
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from sqlalchemy import Connection, text

from app.core import revisions
from app.core.db import engine
from app.core.logging import log
from app.modules import parts

SECONDS = 3.0
AGE = 2.0

_last: dict[str, tuple[float, bool]] = {}

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"description": "Not ready: the same shape"}})
async def ready(response: Response) -> dict[str, object]:
    """503 when the app cannot work without what failed; "degraded" when it still can.

    Out of rotation for a provider's outage, no process would be left to say so to people.
    """
    checks = {"database": (database, True)} | {
        part.__name__.split(".")[1]: (part.check, part.ESSENTIAL) for part in parts("health")
    }
    passed = await asyncio.gather(*(_passes(name, one) for name, (one, _) in checks.items()))
    found = dict(zip(checks, passed, strict=True))
    failed = {name for name, good in found.items() if not good}
    if essential := any(checks[name][1] for name in failed):
        response.status_code = 503
    return {
        "status": "unavailable" if essential else "degraded" if failed else "ok",
        "checks": {name: "failed" if name in failed else "ok" for name in found},
    }


async def _passes(name: str, check: Callable[[], Awaitable[None]]) -> bool:
    """Each check is asked at most every few seconds, however often the outside asks."""
    async with _turn(name, asyncio.get_running_loop()):
        at, good = _last.get(name, (-AGE, False))
        if monotonic() - at < AGE:
            return good
        try:
            async with asyncio.timeout(SECONDS):
                await check()
        except Exception as error:  # noqa: BLE001 a failed check is an answer, whatever failed
            log.warning("health.failed", check=name, error=type(error).__name__)
            good = False
        else:
            good = True
        _last[name] = monotonic(), good
        return good


@cache
def _turn(_: str, __: asyncio.AbstractEventLoop) -> asyncio.Lock:
    """Who asks while a check is under way waits for what it says."""
    return asyncio.Lock()


async def connects(url: str) -> None:
    """Raise `OSError` when nothing listens at an address."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    _, writer = await asyncio.open_connection(parts.hostname, port)
    writer.close()


async def database() -> None:
    """Reachable, as a role that row security binds, and migrated to what the code expects."""
    async with engine().connect() as connection:
        if problem := await connection.run_sync(role_problem):
            raise RuntimeError(problem)
        if behind := await connection.run_sync(revisions.behind):
            raise RuntimeError(f"behind: {', '.join(behind)}")


def role_problem(connection: Connection) -> str | None:
    """Say what is wrong with the role that the app logs in as, if anything is."""
    row = connection.execute(
        text(
            "SELECT rolsuper, rolbypassrls, rolcreaterole,"
            " (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned"
            " FROM pg_roles r WHERE rolname = current_user"
        )
    ).one()
    if row.rolsuper or row.rolbypassrls:
        return "DATABASE_URL logs in as a role that row-level security does not bind."
    if row.rolcreaterole or row.owned:
        return "DATABASE_URL logs in as a role that owns tables or makes roles."
    return None
