from app.core.health import connects
from app.sms_codes import senders
from app.sms_codes.settings import SmsSettings

ESSENTIAL = False  # messages wait in the queue meanwhile, and there are other ways in


async def check() -> None:
    """The service that sends listens."""
    if address := senders.chosen().address(SmsSettings.load()):
        await connects(address)
