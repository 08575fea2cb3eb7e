"""Texted codes as a second factor."""

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
