"""Errors as RFC 7644 has them, on every route of this module."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from app.access.forgery import ForgedRequest
from app.core.errors import Conflict, Invalid, Problem, Unauthorized
from app.core.problems import status_of

MEDIA_TYPE = "application/scim+json"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


class BadRequest(Invalid):
    """`kind` is the `scimType` that tells a directory what was wrong."""

    status = 400

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class NotUnique(Conflict):
    kind = "uniqueness"


class UnknownToken(Unauthorized):
    def __init__(self) -> None:
        super().__init__("Send a SCIM token that has not ended, as Authorization: Bearer.")
        self.headers["WWW-Authenticate"] = "Bearer"


class MethodNotAllowed(Problem):
    status = 405


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, MEDIA_TYPE)


def error(problem: Problem) -> Response:
    status = status_of(problem)
    content = {"schemas": [ERROR], "status": str(status), "detail": problem.detail}
    if kind := getattr(problem, "kind", None):
        content["scimType"] = kind
    return answer(content, status, problem.headers)


class Route(APIRoute):
    """Directories show these errors to their administrators; they know no other form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_tell(request: Request) -> Response:
            try:
                return await handle(request)
            except ForgedRequest:
                raise  # that was a browser
            except Problem as problem:
                return error(problem)
            except RequestValidationError:
                return error(BadRequest("invalidValue", "Some of what was sent is not valid."))
            except HTTPException as refusal:
                if isinstance(refusal.__cause__, Problem):
                    return error(refusal.__cause__)
                return error(BadRequest("invalidSyntax", "The body is not a JSON object."))

        return handle_and_tell
