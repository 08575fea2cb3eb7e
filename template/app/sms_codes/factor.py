"""Texted codes as a second factor."""

from app.access.person import Person
from app.auth.schemas import SignedIn
from app.auth.second_factors import Factor
from app.sms_codes.settings import SmsSettings

FACTOR = Factor(
    kind="sms",
    label="Text message",
    description="A code that is sent to your phone.",
    sign_in_path="/sign-in/text-message",
    settings_path="/account/security/phone",
    remove_path="/account/security/phone/stop-use",
    order=40,
    offered=lambda: SmsSettings.load().factor_allowed,
)


async def finish_sign_in(person: Person, code: str) -> SignedIn:
    """For programs, which send every kind of code to one address."""
    from app.sms_codes import service

    return await service.finish_sign_in(person, code)
