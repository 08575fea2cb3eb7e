from typing import Any

from app.access.person import Person
from app.passkeys import service

ORDER = 10


async def card(person: Person, wish: str) -> tuple[str, dict[str, Any]] | None:
    """On the page that asks who is there: a passkey instead of the password."""
    if not await service.of_person(person.user_id):
        return None
    return "passkeys/_confirm.html", {"wish": wish}
