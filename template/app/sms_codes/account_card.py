"""The phone number, on the page about an account's security."""

from typing import Any

from app.access.person import Person
from app.sms_codes import service

ORDER = 30


async def card(person: Person) -> tuple[str, dict[str, Any]]:
    return "sms_codes/_account_card.html", {"phone": await service.read(person.user_id)}
