"""One POST to a service that sends; what goes wrong is told in our own words."""

from collections.abc import Mapping

from app.core import outbound
from app.core.outbound import Answer
from app.sms_codes.senders import NotSent, Refused
from app.sms_codes.settings import SmsSettings

LONGEST_ANSWER = 64 * 1024


async def post(url: str, body: bytes, headers: Mapping[str, str], *, who: str) -> Answer:
    """Raises `NotSent` when nothing comes back that can be read, `Refused` when nothing may."""
    settings = SmsSettings.load()
    if missing := settings.missing():
        raise NotSent(f"{', '.join(missing)} must be set.")
    try:
        return await outbound.request(
            "POST",
            url,
            of=settings,
            body=body,
            headers=headers,
            seconds=settings.timeout,
            limit=LONGEST_ANSWER,
        )
    except outbound.OutboundRefused as error:
        raise Refused(f"{who} has an address that we do not call: {error}.") from error
    except outbound.OutboundFailed as error:
        raise NotSent(f"{who} gave no answer that we can read: {error}.") from error
