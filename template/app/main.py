"""The way in for the web: `app.main:create_app` is the factory that servers call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse

from app.access.access import public, refuse_unguarded
from app.access.description import describe
from app.core import db, health, logging, problems, sse
from app.core.middleware import BodyLimit, PlainCookies, RequestContext, SecurityHeaders
from app.core.routing import Directory, include
from app.core.settings import answers, get_settings, refuse_unsafe
from app.limits import connections
from app.limits.dependencies import claiming
from app.limits.middleware import AddressLimit
from app.modules import has, parts


def create_app() -> FastAPI:
    settings = get_settings()
    logging.configure()
    refuse_unsafe()
    app = FastAPI(
        title=answers()["project"]["name"],
        debug=settings.debug,
        lifespan=_lifespan,
        openapi_url=None,
        # Ours stand in core/tracing.py and core/metrics.py; FastAPI's hold paths with their ids.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,
    )
    app.include_router(health.router, dependencies=[public()])
    app.include_router(_description(app), dependencies=[public()])
    # Pages of yours that stay behind when the web UI is switched off have nothing to render with.
    pages = parts("pages") if has("web") else ()
    for part in (*parts("endpoints"), *pages):
        include(app, part.router)
    refuse_unguarded(app)
    problems.install(app, _pages(app))
    app.router.routes.insert(0, Directory(app))
    # The last one added is the outermost.
    app.add_middleware(AddressLimit, together=claiming(app))
    if settings.app_env == "development":
        app.add_middleware(PlainCookies)
    larger = {path: most for part in parts("body_limit") for path, most in part.larger().items()}
    app.add_middleware(BodyLimit, settings=settings, larger=larger)
    app.add_middleware(SecurityHeaders, settings=settings)
    app.add_middleware(RequestContext, settings=settings)
    return app


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        # Whatever runs beside the app works until these close.
        stack.push_async_callback(db.close)
        stack.push_async_callback(connections.close)
        await stack.enter_async_context(_filling())
        for part in parts("lifespan"):
            await stack.enter_async_context(part.lifespan())
        stack.push_async_callback(sse.drain)
        yield


@asynccontextmanager
async def _filling() -> AsyncIterator[None]:
    """Opens the database's connections beside the first requests, which need not wait for it."""
    tasks = [asyncio.create_task(pool.fill()) for pool in (db, connections)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _description(app: FastAPI) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["description"])

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return JSONResponse(describe(app))

    return router


def _pages(app: FastAPI) -> Any:
    """With a web UI: serve its files, and show problems to people as pages."""
    if not has("web"):
        return None
    app.mount("/static", import_module("app.web.static_files").app)
    return import_module("app.web.problem_pages").answer
