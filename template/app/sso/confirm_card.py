from typing import Any

from app.access.person import Person
from app.sso import providers, service

ORDER = 20


async def card(person: Person, wish: str) -> tuple[str, dict[str, Any]] | None:
    """On the page that asks who is there: a provider that can ask again, too."""
    connected = {one.provider for one in await service.connections(person.user_id)}
    able = [one for one in providers.configured() if one.name in connected and not one.github]
    if await service.needs_more(person):
        able = [one for one in able if one.second_factors]
    return ("sso/_confirm.html", {"providers": able, "wish": wish}) if able else None
