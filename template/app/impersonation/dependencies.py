"""Who may begin it: shared by endpoints and pages, so both have one budget."""

from typing import Annotated

from fastapi import Request

from app.access.access import NotPermitted, allow
from app.access.forgery import SESSION_COOKIE
from app.access.person import IMPERSONATE, Person
from app.limits.dependencies import limited
from app.limits.service import Rate

Impersonator = Annotated[Person, allow(IMPERSONATE, recent=True)]
StartLimit = Annotated[None, limited("impersonate", Rate(20, 3600, strict=True), by="person")]
# Whoever goes back is not known before, so it counts by address.
ENDS = limited("impersonation-end", Rate(30, 300, strict=True))


def own_token(request: Request) -> str:
    """The session that waits meanwhile. A program has no cookie to put aside."""
    if request.state.by_bearer:
        raise NotPermitted("Only someone at a browser can do this.")
    return request.cookies[SESSION_COOKIE]
