"""Where someone wanted to go before we asked who they are."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from app.core.local_path import local_path

HOME = "/chat"

Next = Annotated[str, Query(alias="next", max_length=2000)]


def next_path(given: str, otherwise: str = HOME) -> str:
    """A path of this site, whatever was given."""
    return local_path(given, otherwise)


def keeping(path: str, given: str) -> str:
    """`path` with the wish carried along."""
    wish = local_path(given, "")
    sign = "&" if "?" in path else "?"
    return f"{path}{sign}{urlencode({'next': wish})}" if wish else path
