"""One file for each way to send, loaded by the name in SMS_SENDER.

It has `send(text)`, which raises `Refused` or `NotSent`, and `address(settings)`, where the service
listens. What they raise is in our own words: a service's answer may quote number or text.
"""

from importlib import import_module
from typing import Protocol, cast

from app.sms_codes.messages import Text
from app.sms_codes.settings import SmsSettings


class NotSent(Exception):
    """The message did not go out; another try may do."""


class Refused(NotSent):
    """The service will not send this message, however often we ask."""


class Sender(Protocol):
    async def send(self, text: Text) -> None: ...

    def address(self, settings: SmsSettings) -> str: ...


def chosen() -> Sender:
    return load(SmsSettings.load().sender)


def load(name: str) -> Sender:
    return cast("Sender", import_module(f"{__name__}.{name}"))
