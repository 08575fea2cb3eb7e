"""The way to another page and back."""

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request

from app.core.local_path import local_path


def with_next(path: str, request: Request) -> str:
    """`path` with the page to come back to."""
    back = here(request)
    return f"{path}?{urlencode({'next': back})}" if back and back != "/" else path


def here(request: Request) -> str:
    """The page someone is on: this one, or the one its form stood on; "" when nobody knows."""
    if request.method in {"GET", "HEAD"}:
        came_from = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    else:
        referer = urlsplit(request.headers.get("referer", ""))
        ours = referer.netloc == request.url.netloc
        came_from = referer.path + (f"?{referer.query}" if referer.query else "") if ours else ""
    return local_path(came_from, "")
