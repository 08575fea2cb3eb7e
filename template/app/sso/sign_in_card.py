from typing import Any

from app.sso import providers

ORDER = 20


async def card(wish: str) -> tuple[str, dict[str, Any]] | None:
    """On the sign-in page: a button for each provider."""
    found = providers.configured()
    return ("sso/_sign_in.html", {"providers": found, "wish": wish}) if found else None
