"""Problems as pages, for people. Programs get them as JSON from app.core.problems.

A problem that another page solves leads there. A module says so in its pages.py:

REMEDIES = {SignInFirst: "/sign-in", ProveItAgain: "/confirm"}
"""

from functools import cache

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.core.errors import Invalid, Problem
from app.core.problems import status_of
from app.modules import parts
from app.web.redirects import here, with_next
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
TOO_OLD = "/problems/forged-request"
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
    mistyped = _only_in_the_address(request, problem)
    status = 404 if mistyped else status_of(problem)
    # The framework's own 404 and 405 say "Not Found", which is no sentence.
    old = problem.type == TOO_OLD  # the commonest way to meet a token that is not ours any more
    plain = mistyped or problem.type == "about:blank"
    detail = SENTENCES.get(status) if plain else problem.detail
    response = render(
        request,
        "web/error.html",
        person=getattr(request.state, "person", None),
        status=status,
        code=status,
        title="The page was too old" if old else TITLES.get(status, "That did not work"),
        back=here(request) if old else "",
        detail=detail or "",
        request_id=getattr(request.state, "request_id", ""),
    )
    response.headers.update(problem.headers)
    return response


def _only_in_the_address(request: Request, problem: Problem) -> bool:
    """A page's address that holds no id where one belongs is a page that does not exist."""
    errors = problem.errors if isinstance(problem, Invalid) else {}
    return bool(errors) and errors.keys() <= request.path_params.keys()


@cache
def remedies() -> tuple[tuple[type[Problem], str], ...]:
    """Which page solves which problem, as the modules say."""
    return tuple(pair for part in parts("pages") for pair in getattr(part, "REMEDIES", {}).items())
