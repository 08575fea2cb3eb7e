"""Problems as pages, for people. Programs get them as JSON from app.core.problems.

A problem that another page solves leads there. A module says so in its pages.py:

REMEDIES = {SignInFirst: "/sign-in", ProveItAgain: "/confirm"}
"""

from functools import cache

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.core.errors import Problem
from app.core.problems import status_of
from app.modules import parts
from app.web.redirects import with_next
from app.web.render import render

TITLES = {
    400: "That request was not understood",
    401: "Sign in first",
    403: "This is not open to you",
    404: "This page does not exist",
    405: "That cannot be done here",
    409: "That cannot be done now",
    413: "That is too large",
    422: "Something in the form is not right",
    429: "One moment, please",
    500: "Something went wrong on our side",
    503: "Not available at the moment",
}
SENTENCES = {
    404: "The address may be mistyped, or what was here has moved or been deleted.",
    405: "Go back and use the buttons on the page.",
}


async def answer(request: Request, problem: Problem) -> Response | None:
    """A page or a redirect for people; None for programs and for requests that scripts make."""
    if request.url.path.startswith("/api/"):
        return None
    remedy = next((path for kind, path in remedies() if isinstance(problem, kind)), None)
    if "hx-request" in request.headers:
        # htmx follows redirects inside the page; this header makes the whole page go there.
        return Response(headers={"HX-Redirect": with_next(remedy, request)}) if remedy else None
    if "text/html" not in request.headers.get("accept", ""):
        return None
    if remedy and request.url.path != remedy:
        return RedirectResponse(with_next(remedy, request), 303)
    status = status_of(problem)
    # The framework's own 404 and 405 say "Not Found", which is no sentence.
    detail = SENTENCES.get(status) if problem.type == "about:blank" else problem.detail
    response = render(
        request,
        "web/error.html",
        person=getattr(request.state, "person", None),
        status=status,
        code=status,
        title=TITLES.get(status, "That did not work"),
        detail=detail or "",
        request_id=getattr(request.state, "request_id", ""),
    )
    response.headers.update(problem.headers)
    return response


@cache
def remedies() -> tuple[tuple[type[Problem], str], ...]:
    """Which page solves which problem, as the modules say."""
    return tuple(pair for part in parts("pages") for pair in getattr(part, "REMEDIES", {}).items())
