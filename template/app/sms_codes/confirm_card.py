"""A texted code, on the page that asks for a fresh proof."""

from typing import Any

from app.access.person import Person
from app.sms_codes import service
from app.sms_codes.settings import SmsSettings

ORDER = 40


async def card(person: Person, wish: str) -> tuple[str, dict[str, Any]] | None:
    phone = await service.read(person.user_id)
    if phone is None or not phone.second_factor or not SmsSettings.load().factor_allowed:
        return None
    return "sms_codes/_confirm_card.html", {"number": phone.number, "wish": wish}
