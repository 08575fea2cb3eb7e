"""Shared by endpoints and pages, so both have one budget."""

from fastapi import Request

from app.core.errors import NotFound
from app.limits.dependencies import limited
from app.limits.service import Rate
from app.mail.dependencies import on_laptop
from app.sms_codes.settings import SmsSettings

# A whole office may sign in from one address at nine.
TEXTS = limited("sms", Rate(40, 3600, strict=True))


class NoTexts(NotFound):
    pass


async def texts_only(request: Request) -> None:
    """What stands in for text messages shows codes: nowhere but on laptops and in tests."""
    if SmsSettings.load().sender != "stand_in" or not on_laptop(request):
        raise NoTexts("There is no such page.")
