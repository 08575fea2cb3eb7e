from typing import Any

from app.access.person import Person
from app.sso import providers, service

ORDER = 20


async def card(person: Person) -> tuple[str, dict[str, Any]] | None:
    """On the page Security: which accounts elsewhere sign in to this one."""
    connections = await service.connections(person.user_id)
    connected = {one.provider for one in connections}
    missing = [one for one in providers.configured() if one.name not in connected]
    if not connections and not missing:
        return None
    return "sso/_connections.html", {"connections": connections, "missing": missing}
