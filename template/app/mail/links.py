"""Where a mail leads."""

from app.core.settings import get_settings
from app.modules import has


def to(page: str, *, api: str) -> str:
    """A page; in a project without pages what the API has in its place."""
    return get_settings().public_url + (page if has("web") else api)
