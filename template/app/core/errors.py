"""Problems a person can be told about, as RFC 9457 has them.

The class name is the problem's type: `class AlreadyPublished(Conflict)` becomes
`/problems/already-published`. Services raise these; they know nothing of HTTP beyond the status.
"""

import re
from http import HTTPStatus
from typing import ClassVar


class CannotStart(RuntimeError):
    """Shown to whoever starts the app: one sentence that says what to do."""


class Problem(Exception):
    """The sentence given is shown to the person; keep internals out of it."""

    status: ClassVar[int] = 500

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra
        self.headers: dict[str, str] = {}

    @property
    def type(self) -> str:
        return "/problems/" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type(self).__name__).lower()

    @property
    def title(self) -> str:
        return HTTPStatus(self.status).phrase

    def document(self) -> dict[str, object]:
        return {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


class Invalid(Problem):
    status = 422

    def __init__(self, detail: str, *, errors: dict[str, str] | None = None) -> None:
        extra: dict[str, object] = {"errors": errors} if errors else {}
        super().__init__(detail, **extra)
        self.errors = errors or {}


class Unauthorized(Problem):
    status = 401

    def __init__(self, detail: str = "Sign in first.") -> None:
        super().__init__(detail)
        self.headers["WWW-Authenticate"] = "Session"


class Forbidden(Problem):
    status = 403


class NotFound(Problem):
    status = 404


class Conflict(Problem):
    status = 409


class TooLarge(Problem):
    status = 413


class TooMany(Problem):
    status = 429

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = max(1, round(retry_after + 0.5))
        self.headers["Retry-After"] = str(self.retry_after)


class Unavailable(Problem):
    status = 503

    def __init__(self, detail: str, *, retry_after: float = 5) -> None:
        super().__init__(detail)
        self.headers["Retry-After"] = str(max(1, round(retry_after)))
