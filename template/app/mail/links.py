"""Where a mail leads."""

from importlib.util import find_spec

from app.core.settings import get_settings


def to(page: str, *, api: str) -> str:
    """A page; in a project without pages what the API has in its place."""
    return get_settings().public_url + (page if find_spec("app.web") else api)
