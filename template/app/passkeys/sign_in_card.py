from typing import Any

ORDER = 10


async def card(wish: str) -> tuple[str, dict[str, Any]] | None:
    """On the sign-in page: a passkey instead of address and password."""
    return "passkeys/_sign_in.html", {"wish": wish}
