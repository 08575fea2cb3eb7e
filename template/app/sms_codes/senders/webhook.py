"""A service of yours: JSON by POST, signed as https://www.standardwebhooks.com has it."""

import hmac
import json
from base64 import b64encode

from app.core.clock import now
from app.sms_codes.http import post
from app.sms_codes.messages import Text
from app.sms_codes.senders import NotSent, Refused
from app.sms_codes.settings import SmsSettings


async def send(text: Text) -> None:
    settings = SmsSettings.load()
    message = {
        "type": "text_message",
        "to": text.to,
        "text": text.body,
        "expires_at": text.expires_at.isoformat(),
    }
    body = json.dumps(message, ensure_ascii=False).encode()
    name, stamp = str(text.id), str(int(now().timestamp()))
    key = settings.webhook_secret.get_secret_value().encode()
    signature = hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")
    answer = await post(
        settings.webhook_url,
        body,
        {
            "Content-Type": "application/json",
            # The same at each try, so that a message which comes twice is sent once.
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{b64encode(signature).decode()}",
        },
        who="The webhook",
    )
    if 200 <= answer.status < 300:
        return
    if answer.status in {408, 429} or answer.status >= 500:
        raise NotSent(f"The webhook could not take the message now: {answer.status}.")
    raise Refused(f"The webhook refused the message: {answer.status}.")


def address(settings: SmsSettings) -> str:
    return settings.webhook_url
