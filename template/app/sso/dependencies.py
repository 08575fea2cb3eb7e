"""The cookie of the way to a provider and back, and limits that endpoints and pages share."""

from typing import Annotated

from fastapi import Cookie, Path, Response

from app.limits.dependencies import limited
from app.limits.service import Rate
from app.sso.attempts import LIFETIME
from app.sso.service import Leaving

SSO_COOKIE = "__Host-sso"

Browser = Annotated[str | None, Cookie(alias=SSO_COOKIE, max_length=100, include_in_schema=False)]
Name = Annotated[str, Path(max_length=30)]

STARTS = limited("sso", Rate(30, 300, strict=True))
RETURNS = limited("sso-return", Rate(60, 300, strict=True))


def keep(response: Response, leaving: Leaving) -> None:
    """Tie what was started to this browser; Lax, so that it comes along on the way back."""
    response.set_cookie(
        SSO_COOKIE,
        leaving.browser,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
