"""Request forgery: a browser acts for us only on a page of ours.

Two walls. Fetch metadata and Origin say where a request was started; a token that only our pages
hold says it again for browsers that send neither.
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from app.core.crypto import keyed_digest, new_token, same
from app.core.errors import Forbidden
from app.core.settings import get_settings

SESSION_COOKIE = "__Host-session"
BROWSER_COOKIE = "__Host-browser"
OWN_SESSION_COOKIE = "__Host-own-session"
"""Where the session of an administrator waits while they work as someone else."""
ONCE = ("sec-fetch-site", "origin", "x-csrf-token")
SAFE = {"GET", "HEAD", "OPTIONS"}


class ForgedRequest(Forbidden):
    pass


def token_for(request: Request) -> str:
    """The token for this browser: bound to its session, or before sign-in to its cookie."""
    cookies = request.cookies
    if bound := cookies.get(SESSION_COOKIE):
        return keyed_digest(bound, "csrf session").hex()
    bound = cookies.get(BROWSER_COOKIE)
    if not bound:
        bound = getattr(request.state, "new_browser", None) or new_token()
        request.state.new_browser = bound  # the page's answer sets the cookie
    return keyed_digest(bound, "csrf browser").hex()


async def check(request: Request, *, bearer: bool = False) -> None:
    """Raise `ForgedRequest` unless the request comes from our own page or is no browser's.

    A request by `bearer` credential needs no token of ours, because no browser adds such a
    credential by itself. Whatever a page of another site sends with one is refused, reading too.
    """
    if request.method in SAFE and not bearer:
        return
    headers = request.headers
    if any(len(headers.getlist(name)) > 1 for name in ONCE):
        raise ForgedRequest("This request says twice where it comes from.")
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in {None, "same-origin", "none"}:
        raise ForgedRequest("This request was started by another site.")
    # Our pages with Referrer-Policy: no-referrer send "null"; then the browser itself must vouch.
    vouched = origin == "null" and site == "same-origin"
    if origin is not None and origin not in _own(request) and not vouched:
        raise ForgedRequest("This request was started by another site.")
    if bearer or not {SESSION_COOKIE, BROWSER_COOKIE} & request.cookies.keys():
        return  # nothing of ours came along that another site could misuse
    given = headers.get("x-csrf-token")
    kind = headers.get("content-type", "")
    if given is None and kind.startswith(("application/x-www-form", "multipart/form-data")):
        value = (await request.form()).get("csrf_token")
        given = value if isinstance(value, str) else None
    if given is None or not same(given, token_for(request)):
        raise ForgedRequest("The page is too old; load it again and repeat what you did.")


def _own(request: Request) -> set[str]:
    public = urlsplit(get_settings().public_url)
    own = {f"{public.scheme}://{public.netloc}"}
    if not get_settings().production:
        own.add(f"{request.url.scheme}://{request.url.netloc}")
    return own
