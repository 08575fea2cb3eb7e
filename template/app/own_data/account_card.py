from typing import Any

from app.access.person import Person
from app.core.db import transaction
from app.own_data import service

ORDER = 50


async def card(person: Person) -> tuple[str, dict[str, Any]] | None:
    """On the page Security: ask for one's own data, and download it."""
    async with transaction(organization_id=person.organization_id, user_id=person.user_id) as db:
        found = await service.exports(db, person)
    return "own_data/_account_card.html", {"found": found}
