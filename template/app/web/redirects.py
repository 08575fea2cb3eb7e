"""Where to go next when an address came from outside."""

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request


def local_path(given: str | None, otherwise: str = "/") -> str:
    """`given` when it is a path of this site, else `otherwise`: no redirect leads elsewhere."""
    if not given or not given.startswith("/") or not given.isprintable():
        return otherwise
    # Browsers read a backslash as a slash, and //host as another site.
    return otherwise if given.replace("\\", "/").startswith("//") else given


def with_next(path: str, request: Request) -> str:
    """`path` with the page to come back to: this one, or the one its form stood on."""
    if request.method in {"GET", "HEAD"}:
        came_from = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    else:
        referer = urlsplit(request.headers.get("referer", ""))
        here = referer.netloc == request.url.netloc
        came_from = referer.path + (f"?{referer.query}" if referer.query else "") if here else ""
    back = local_path(came_from, "")
    return f"{path}?{urlencode({'next': back})}" if back and back != "/" else path
