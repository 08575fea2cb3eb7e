"""A texted code, on the page that asks for a fresh proof."""

from typing import Any

from app.access.person import Person
from app.auth.next_pages import keeping
from app.sms_codes import service
from app.sms_codes.settings import SmsSettings

ORDER = 40


async def card(person: Person, wish: str) -> tuple[str, dict[str, Any]] | None:
    phone = await service.read(person.user_id)
    if phone is None or not phone.second_factor or not SmsSettings.load().factor_allowed:
        return None
    path = keeping("/confirm/text-message", wish)
    return "sms_codes/_confirm_card.html", {"number": phone.number, "path": path}
