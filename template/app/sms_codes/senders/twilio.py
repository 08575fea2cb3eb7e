"""Twilio's Messages API: a form, answered with 201 or with a number that says why not."""

import json
from base64 import b64encode
from urllib.parse import quote, urlencode

from app.core.clock import now
from app.core.outbound import Answer
from app.sms_codes.http import post
from app.sms_codes.messages import Text
from app.sms_codes.senders import NotSent, Refused
from app.sms_codes.settings import SmsSettings

# https://www.twilio.com/docs/api/errors
REASONS = {
    20003: "Twilio does not accept our account or key.",
    20404: "Twilio does not know our account.",
    21211: "Twilio says that there is no such number.",
    21408: "Our Twilio account may not send to this country.",
    21606: "Our Twilio account may not send from SMS_TWILIO_FROM.",
    21608: "A Twilio trial account sends to its own numbers only.",
    21610: "The owner of this number told Twilio to stop our messages.",
    21612: "Twilio has no way to this number.",
    21614: "Twilio says that this is no mobile number.",
    21635: "Twilio says that this is no mobile number.",
    30450: "Twilio holds this message back as likely fraud.",
    60410: "Twilio holds this message back as likely fraud.",
}
SERVICE = "MG"


async def send(text: Text) -> None:
    settings = SmsSettings.load()
    account = settings.twilio_account
    user = f"{settings.twilio_key or account}:{settings.twilio_secret.get_secret_value()}"
    sender = "MessagingServiceSid" if settings.twilio_from.startswith(SERVICE) else "From"
    form = {
        "To": text.to,
        sender: settings.twilio_from,
        "Body": text.body,
        # What still waits at Twilio when the code has ended is not sent.
        "ValidityPeriod": max(1, int((text.expires_at - now()).total_seconds())),
    }
    answer = await post(
        f"{settings.twilio_url}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json",
        urlencode(form).encode(),
        {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"Basic {b64encode(user.encode()).decode()}",
            "Accept": "application/json",
        },
        who="Twilio",
    )
    told = _document(answer)
    if answer.status == 201 and isinstance(told.get("sid"), str):
        return
    _raise(answer.status, told.get("code"))


def address(settings: SmsSettings) -> str:
    return settings.twilio_url


def _document(answer: Answer) -> dict[str, object]:
    try:
        told = json.loads(answer.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _raise(status: int, code: object) -> None:
    if status == 429:
        raise NotSent("Twilio asks us to slow down.")
    if 400 <= status < 500:
        known = REASONS.get(code) if isinstance(code, int) else None
        number = code if isinstance(code, int) else "no number"
        raise Refused(known or f"Twilio refused the message: {status}, {number}.")
    raise NotSent(f"Twilio answered {status} and nothing that we understand.")
