"""Problems as answers: RFC 9457 for programs; modules with pages add their own for people.

Rejected input is never echoed, and nothing of an unexpected error leaves the server but its
request id.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Invalid, Problem, Unavailable
from app.core.logging import log, request_id
from app.core.metrics import Counter

# Lock timeout, statement timeout, serialization failure, deadlock.
WAITED_TOO_LONG = {"55P03", "57014", "40001", "40P01"}
# A full disk, and no memory.
OUT_OF_ROOM = frozenset({"53100", "53200"})

SCHEMA = {
    "title": "Problem",
    "description": "RFC 9457. `type` names the problem, `detail` says it to a person.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "string"}},
        "request_id": {"type": ["string", "null"]},
    },
}
PROBLEM: dict[str, Any] = {
    "description": "A problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}

PROBLEMS = Counter("app_problems_total", "Answers that told of a problem, by kind.", "problem")

Handler = Callable[[Request, Exception], Awaitable[Response]]


class _Plain(Problem):
    """What the framework itself raises: 404 for no route, 405 for a wrong method."""

    def __init__(self, error: HTTPException) -> None:
        super().__init__(str(error.detail))
        self.code = error.status_code
        self.headers = dict(error.headers or {})

    @property
    def type(self) -> str:
        return "about:blank"

    @property
    def title(self) -> str:
        return self.detail

    def document(self) -> dict[str, object]:
        return super().document() | {"status": self.code}


class InternalError(Problem):
    def __init__(self) -> None:
        super().__init__(
            "Something went wrong on our side. Please give the request id when asking."
        )


def may(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The problems of one route, for its description: `responses=may(AlreadyMember)`."""
    return {kind.status: PROBLEM for kind in kinds}


def status_of(problem: Problem) -> int:
    return problem.code if isinstance(problem, _Plain) else problem.status


def problem_response(problem: Problem) -> Response:
    document = problem.document() | {"request_id": request_id.get()}
    return Response(
        orjson.dumps(document, default=str),
        status_of(problem),
        headers=problem.headers,
        media_type="application/problem+json",
    )


def as_problem(error: Exception) -> Problem:
    """What to tell about any error."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return Invalid("Some of what was sent is not valid.", errors=_sentences(error))
        case HTTPException() if isinstance(error.__cause__, Problem):
            return error.__cause__  # raised while the body was read, and wrapped by the framework
        case HTTPException():
            return _Plain(error)
        case PoolTimeout():
            log.warning("database.pool_exhausted")
            return Unavailable("Too many people at once; please try again.", retry_after=2)
        # Statements outside SQLAlchemy raise the driver's own errors.
        case psycopg.Error() if error.sqlstate in WAITED_TOO_LONG:
            return _waited_too_long(error)
        case psycopg.Error() if error.sqlstate in OUT_OF_ROOM:
            return _no_room(error)
        case psycopg.DataError():
            return _bad_text()
        case psycopg.OperationalError() | TimeoutError():
            log.error("database.unreachable", error=type(error).__name__)
            return Unavailable("The database cannot be reached; please try again.")
        case InterfaceError() | OperationalError() if _lost_connection(error):
            log.error("database.unreachable", error=type(error).__name__)
            return Unavailable("The database cannot be reached; please try again.")
        case DBAPIError() if getattr(error.orig, "sqlstate", "") in WAITED_TOO_LONG:
            return _waited_too_long(error.orig)
        case DBAPIError() if getattr(error.orig, "sqlstate", None) in OUT_OF_ROOM:
            return _no_room(error.orig)
        case DBAPIError() if type(error.orig).__name__ in {"DataError", "UntranslatableCharacter"}:
            return _bad_text()
        case UnicodeError():  # A form may name an encoding that makes what UTF-8 cannot say.
            log.warning("text.undecodable", error=type(error).__name__)
            return _bad_text()
        case _:
            log.error("error.unexpected", exc_info=error)
            return InternalError()


def _lost_connection(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or str(state).startswith(("08", "57P"))


def _waited_too_long(error: BaseException | None) -> Problem:
    log.warning("database.waited_too_long", error=type(error).__name__)
    return Unavailable("This took too long; please try again.", retry_after=2)


def _no_room(error: BaseException | None) -> Problem:
    log.error("database.no_room", error=type(error).__name__)
    return Unavailable("Nothing can be stored at the moment; please try again later.")


def _bad_text() -> Problem:
    return Invalid("The text holds characters that cannot be stored.")


def _sentences(error: RequestValidationError) -> dict[str, str]:
    """Field and message only: the value that was refused may be a password."""
    return {
        ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]): str(item["msg"])
        for item in error.errors()
    }


class Unexpected:
    """Answer errors that nobody expected, inside the other layers so that these still see them."""

    def __init__(self, app: ASGIApp, handle: Handler) -> None:
        self.app = app
        self.handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            response = await self.handle(Request(scope, receive), error)
            if started:
                # Half an answer is out: breaking the connection tells that the rest is missing.
                raise ConnectionAbortedError("failed in the middle of an answer") from error
            await response(scope, receive, send)
        return None


def install(app: FastAPI, answer: Any = None) -> None:
    """Answer every error with a problem; `answer(request, problem)` may give a page instead.

    Call it before other layers are added: this one belongs inside them.
    """

    async def handle(request: Request, error: Exception) -> Response:
        problem = as_problem(error)
        PROBLEMS.add(problem.type.removeprefix("/problems/"))
        page: Response | None = await answer(request, problem) if answer else None
        return page or problem_response(problem)

    for kind in (
        Problem,
        RequestValidationError,
        HTTPException,
        DBAPIError,
        PoolTimeout,
    ):
        app.add_exception_handler(kind, handle)
    app.add_middleware(Unexpected, handle=handle)
