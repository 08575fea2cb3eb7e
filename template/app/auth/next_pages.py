"""Where someone wanted to go before we asked who they are."""

from functools import cache
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from app.access.roles import Role, granted
from app.core.local_path import local_path
from app.web.navigation import declared

ACCOUNT = "/account"

Next = Annotated[str, Query(alias="next", max_length=2000)]


@cache
def home() -> str:
    """Where people begin: the first link beside the pages that each member may follow."""
    may = granted(Role.MEMBER)
    return next(
        (one.path for one in declared() if not one.section and one.permission in may), ACCOUNT
    )


def next_path(given: str, otherwise: str | None = None) -> str:
    """A path of this site, whatever was given; the home page when nothing was."""
    return local_path(given, home() if otherwise is None else otherwise)


def keeping(path: str, given: str) -> str:
    """`path` with the wish carried along."""
    wish = local_path(given, "")
    sign = "&" if "?" in path else "?"
    return f"{path}{sign}{urlencode({'next': wish})}" if wish else path
