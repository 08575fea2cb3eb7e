from typing import Any

from app.access.person import Person
from app.impersonation import service

ORDER = 40


async def card(person: Person) -> tuple[str, dict[str, Any]] | None:
    """On the page Security: when an administrator worked as this person, and why."""
    found = await service.of_person(person.user_id)
    return ("impersonation/_account_card.html", {"found": found}) if found else None
