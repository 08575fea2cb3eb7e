"""AWS SNS: the query API's Publish, signed; answered in XML."""

import re
from urllib.parse import urlencode

from app.core.clock import now
from app.core.sigv4 import Credentials, signed
from app.sms_codes.http import post
from app.sms_codes.messages import Text
from app.sms_codes.senders import NotSent, Refused
from app.sms_codes.settings import SmsSettings

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
REASONS = {
    "AuthorizationError": "AWS does not let our key publish text messages.",
    "InvalidClientTokenId": "AWS does not know our access key.",
    "SignatureDoesNotMatch": "AWS does not accept our secret key.",
    "ExpiredToken": "Our temporary AWS key has ended.",
    "OptedOut": "The owner of this number told AWS to stop our messages.",
    "InvalidParameter": "AWS does not accept this number or text.",
    "InvalidParameterValue": "AWS does not accept this number or text.",
    "UserError": "AWS does not accept this number or text.",
}
SLOW_DOWN = {"Throttling", "ThrottledException", "Throttled", "RequestLimitExceeded"}
# Two names are looked for in the text: an XML parser would read whatever else is in it.
MESSAGE_ID = re.compile(rb"<MessageId>[\w-]{8,64}</MessageId>")
CODE = re.compile(rb"<Code>(\w{1,64})</Code>")


async def send(text: Text) -> None:
    settings = SmsSettings.load()
    attributes = {"AWS.SNS.SMS.SMSType": "Transactional"}
    if settings.sns_sender_id:
        attributes["AWS.SNS.SMS.SenderID"] = settings.sns_sender_id
    form = {
        "Action": "Publish",
        "Version": "2010-03-31",
        "PhoneNumber": text.to,
        "Message": text.body,
    }
    for place, (name, value) in enumerate(attributes.items(), 1):
        entry = f"MessageAttributes.entry.{place}"
        form |= {
            f"{entry}.Name": name,
            f"{entry}.Value.DataType": "String",
            f"{entry}.Value.StringValue": value,
        }
    body = urlencode(form).encode()
    url = f"{address(settings)}/"
    headers = signed(
        url,
        body,
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        Credentials(
            settings.sns_access_key,
            settings.sns_secret_key.get_secret_value(),
            settings.sns_session_token.get_secret_value(),
        ),
        region=settings.sns_region,
        service="sns",
        moment=now(),
    )
    answer = await post(url, body, headers, who="AWS SNS")
    if answer.status == 200 and MESSAGE_ID.search(answer.body):
        return
    found = CODE.search(answer.body)
    _raise(answer.status, found[1].decode() if found else "")


def address(settings: SmsSettings) -> str:
    return settings.sns_url or f"https://sns.{settings.sns_region}.amazonaws.com"


def _raise(status: int, code: str) -> None:
    if status == 429 or code in SLOW_DOWN:
        raise NotSent("AWS SNS asks us to slow down.")
    if 400 <= status < 500:
        raise Refused(
            REASONS.get(code) or f"AWS SNS refused the message: {status}, {code or 'no reason'}."
        )
    raise NotSent(f"AWS SNS answered {status} and nothing that we understand.")
