"""Sends nothing: the message stays in our table and is read at /dev/texts."""

from app.sms_codes.messages import Text
from app.sms_codes.settings import SmsSettings


async def send(_: Text) -> None:
    """It is where it will be read."""


def address(_: SmsSettings) -> str:
    return ""
