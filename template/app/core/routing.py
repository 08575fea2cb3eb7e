"""Many routes, found fast: each is made once, and looked for by how its path begins.

FastAPI keeps an included router apart, makes each of its routes a second time for what the
inclusion may add, and looks at all of them in turn, twice for every request. With three hundred
routes that was an eighth of a start and a seventh of a request.
"""

from copy import copy
from typing import NoReturn

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts, request_response
from starlette._utils import get_route_path
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

WORDS = 2
"""How many words of a path tell where to look: `/api/users`, `/admin/audit`."""


def include(app: FastAPI, router: APIRouter) -> None:
    """The same as `app.include_router(router)`; faster where that adds nothing."""
    app.include_router(router)
    if not _adds(app.router) and all(_is_plain(route) for route in router.routes):
        app.router.routes[-1:] = [_of(app, route) for route in router.routes]


def _adds(to: APIRouter) -> bool:
    return bool(to.prefix or to.tags or to.dependencies or to.responses or to.callbacks)


def _is_plain(route: BaseRoute) -> bool:
    return isinstance(route, APIRoute) and route.max_body_size is None


def _of(app: FastAPI, route: BaseRoute) -> BaseRoute:
    """The route, with the app's `dependency_overrides` for tests that set them."""
    assert isinstance(route, APIRoute)
    own = copy(route)
    own.dependency_overrides_provider = app
    own.app = request_response(own.get_route_handler())
    return own


class Directory(BaseRoute):
    """Stands before all other routes and hands a request to the first that matches it.

    It looks only at those whose path begins alike, and for a path without parameters only at those
    that it fits. What it does not find, the app's router looks for as ever: no such page, another
    method.
    """

    def __init__(self, app: FastAPI) -> None:
        self._routes = app.router.routes
        self._known = 0
        self._by_start: dict[str, APIRouter] = {}
        self._fixed: dict[str, APIRouter | None] = {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http":
            for route in self._alike(scope).routes:
                if route.matches(scope)[0] is Match.FULL:
                    return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._alike(scope).app(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> NoReturn:
        raise NoMatchFound(name, path_params)

    def _alike(self, scope: Scope) -> APIRouter:
        if len(self._routes) != self._known:
            self._read()
        path = get_route_path(scope)
        if path not in self._fixed:
            return self._beginning(path)
        router = self._fixed[path]
        if router is None:  # made when it is first asked for: most never are
            fit = [route for route in self._beginning(path).routes if _fits(route, path)]
            router = self._fixed[path] = APIRouter(routes=fit, redirect_slashes=False)
        return router

    def _beginning(self, path: str) -> APIRouter:
        words, found = path.split("/", WORDS + 1), self._by_start
        return (
            found.get("/".join(words[: WORDS + 1]))
            or found.get("/".join(words[:WORDS]))
            or found[""]
        )

    def _read(self) -> None:
        routes = [(route, _starts(route)) for route in self._routes if route is not self]
        everything = {""}.union(*(starts for _, starts in routes))
        for start in everything:
            shorter = {"", start.rpartition("/")[0], start}
            alike = [route for route, starts in routes if starts & shorter]
            self._by_start[start] = APIRouter(routes=alike, redirect_slashes=False)
        paths = (one.path or "{" for route, _ in routes for one in iter_route_contexts([route]))
        self._fixed = dict.fromkeys(path for path in paths if "{" not in path)
        self._known = len(self._routes)


def _starts(route: BaseRoute) -> set[str]:
    """How paths of a route begin: its first words, up to one that is not fixed."""
    return {_start(one.path or "") for one in iter_route_contexts([route])}


def _fits(route: BaseRoute, path: str) -> bool:
    """Whether it is to be asked for this path; what is no plain route always is."""
    return not isinstance(route, APIRoute) or route.path_regex.match(path) is not None


def _start(path: str) -> str:
    words = path.split("/")[: WORDS + 1]
    fixed = next((place for place, word in enumerate(words) if "{" in word), len(words))
    return "/".join(words[:fixed])
