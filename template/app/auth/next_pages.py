"""Where someone wanted to go before we asked who they are."""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from app.access.roles import Role, granted
from app.core.local_path import local_path
from app.web.navigation import Link, declared

Next = Annotated[str, Query(alias="next", max_length=2000)]


@cache
def home() -> str:
    """Where people begin."""
    return first_of(declared(), granted(Role.MEMBER))


def first_of(links: Iterable[Link], permissions: Collection[str]) -> str:
    """The first link outside all sections that whoever has these permissions is shown."""
    return next(
        (
            one.path
            for one in links
            if not one.section and one.shown is None
            if not one.permission or one.permission in permissions
        ),
        "/account",
    )


def next_path(given: str, otherwise: str | None = None) -> str:
    """A path of this site, whatever was given; the home page when nothing was."""
    return local_path(given, home() if otherwise is None else otherwise)


def keeping(path: str, given: str) -> str:
    """`path` with the wish carried along."""
    wish = local_path(given, "")
    sign = "&" if "?" in path else "?"
    return f"{path}{sign}{urlencode({'next': wish})}" if wish else path
