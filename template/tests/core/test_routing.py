"""Finding routes fast changes nothing of what is found."""

from typing import Annotated

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import PlainTextResponse

from app.core.routing import Directory, include

PATHS = (
    *("/", "/{word}", "/users", "/users/", "/users/{one}", "/users/me", "/u{one}"),
    *("/api/users", "/api/users/{one}", "/api/users/{one}/roles", "/api/{kind}/{one}/roles"),
    *("/api/users/me", "/api", "/files/{rest:path}", "/files/all", "/{first}/second/third"),
)
ASKED = (
    *("", "/", "/users", "/users/", "/users/7", "/users/me", "/users/7/8", "/u7", "/other"),
    *("/api", "/api/", "/api/users", "/api/users/7", "/api/users/7/roles", "/api/users/me"),
    *("/api/keys/7/roles", "/api/users/me/roles", "/files", "/files/", "/files/a/b", "/files/all"),
    *("/mounted", "/mounted/", "/mounted/x/y", "/added", "/added/later", "/x/second/third", "//"),
)


def asked() -> str:
    return "as written"


def two_routers() -> tuple[APIRouter, APIRouter]:
    routers = APIRouter(), APIRouter()
    for place, path in enumerate(PATHS):

        async def answer(by: Annotated[str, Depends(asked)], place: int = place) -> str:
            return f"{PATHS[place]} {by}"

        routers[place % 2].add_api_route(path, answer, methods=["GET", "POST"][: 1 + place % 3])
    inner = APIRouter(prefix="/added")
    inner.add_api_route("/{one}", lambda: "inner")
    routers[1].include_router(inner)
    return routers


async def answers(app: FastAPI, root: str) -> list[tuple[int, str, list[str]]]:
    found = []
    transport = httpx2.ASGITransport(app=app, root_path=root)
    async with httpx2.AsyncClient(transport=transport, base_url="https://testserver") as browser:
        for path in ASKED:
            for method in ("GET", "POST", "DELETE"):
                one = await browser.request(method, root + path)
                allowed = sorted(one.headers.get("allow", "").split(", "))
                found.append((one.status_code, one.text, allowed))
    return found


async def mounted(scope, receive, send):
    await PlainTextResponse("mounted")(scope, receive, send)


@pytest.mark.parametrize("root", ["", "/behind"])
async def test_the_directory_finds_what_the_framework_finds(root):
    plain = FastAPI(openapi_url=None, redirect_slashes=False)
    fast = FastAPI(openapi_url=None, redirect_slashes=False)
    fast.router.routes.append(Directory(fast))
    for router in two_routers():
        plain.include_router(router)
        include(fast, router)
    for app in (plain, fast):
        app.mount("/mounted", mounted)
    first = await answers(plain, root)
    assert await answers(fast, root) == first
    assert {status for status, _, _ in first} == {200, 404, 405}
    for app in (plain, fast):
        app.add_api_route("/added/{one}", lambda: "later", methods=["DELETE"])
        app.dependency_overrides[asked] = lambda: "as a test has it"
    second = await answers(plain, root)
    assert await answers(fast, root) == second
    assert "later" in str(second)
    assert "as a test has it" in str(second)
    assert "as written" not in str(second)


async def test_what_the_app_adds_to_every_route_is_added_to_included_ones():
    def refuse() -> None:
        raise PermissionError

    app = FastAPI(openapi_url=None, dependencies=[Depends(refuse)])
    router = APIRouter()
    router.add_api_route("/open", lambda: "open")
    include(app, router)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://testserver") as browser:
        with pytest.raises(PermissionError):
            await browser.get("/open")
