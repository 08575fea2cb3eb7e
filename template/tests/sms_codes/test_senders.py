"""Each sender against a server that speaks its wire format, and that can be unkind."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from app.core.sigv4 import Credentials, signed
from app.sms_codes.senders import NotSent, Refused, twilio
from tests.conftest import free_port
from tests.sms_codes.conftest import SECRET, sns_no, twilio_no


async def test_twilio_gets_the_form_that_its_api_describes(with_twilio, service, text):
    await with_twilio.send(text)

    [(request, body)] = service.asked
    form = dict(parse_qsl(body.decode()))
    assert (request.method, request.path) == ("POST", "/2010-04-01/Accounts/AC0123/Messages.json")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    given = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
    assert given == b"AC0123:the token"
    assert 590 < int(form.pop("ValidityPeriod")) <= 600
    assert form == {"To": text.to, "From": "+15005550006", "Body": text.body}


async def test_twilio_is_asked_with_a_key_and_a_messaging_service(
    with_twilio, service, text, configure
):
    configure(SMS_TWILIO_KEY="SK77", SMS_TWILIO_FROM="MG99")
    await with_twilio.send(text)

    [(request, body)] = service.asked
    given = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
    assert given == b"SK77:the token"
    form = dict(parse_qsl(body.decode()))
    assert form["MessagingServiceSid"] == "MG99"
    assert "From" not in form


async def test_sns_gets_the_signed_query_that_its_api_describes(with_sns, service, text, configure):
    configure(SMS_SNS_SENDER_ID="Demo", SMS_SNS_SESSION_TOKEN="temporary")
    await with_sns.send(text)

    [(request, body)] = service.asked
    assert dict(parse_qsl(body.decode())) == {
        "Action": "Publish",
        "Version": "2010-03-31",
        "PhoneNumber": text.to,
        "Message": text.body,
        "MessageAttributes.entry.1.Name": "AWS.SNS.SMS.SMSType",
        "MessageAttributes.entry.1.Value.DataType": "String",
        "MessageAttributes.entry.1.Value.StringValue": "Transactional",
        "MessageAttributes.entry.2.Name": "AWS.SNS.SMS.SenderID",
        "MessageAttributes.entry.2.Value.DataType": "String",
        "MessageAttributes.entry.2.Value.StringValue": "Demo",
    }
    # As AWS does it: the signature over what arrived, with the secret that both know.
    stamp = request.headers["X-Amz-Date"]
    again = signed(
        f"http://{request.headers['Host']}/",
        body,
        {"Content-Type": request.headers["Content-Type"]},
        Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "temporary"),
        region="eu-central-1",
        service="sns",
        moment=datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
    )
    assert request.headers["Authorization"] == again["Authorization"]
    assert request.headers["X-Amz-Security-Token"] == "temporary"


# From AWS's published test suite for Signature Version 4, and one made with botocore 1.44.8.
VECTORS = {
    "post-vanilla": (
        "https://example.amazonaws.com/",
        b"",
        {},
        "",
        "service",
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    "post-x-www-form-urlencoded": (
        "https://example.amazonaws.com/",
        b"Param1=value1",
        {"Content-Type": "application/x-www-form-urlencoded"},
        "",
        "service",
        "content-type;host;x-amz-date",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
    "botocore, with a session's token": (
        "https://sns.us-east-1.amazonaws.com/",
        b"Action=Publish&Message=%C3%A4",
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        "temporary/token==",
        "sns",
        "content-type;host;x-amz-date;x-amz-security-token",
        "054c1686e9a61bee523fea9c2a50ed625a1d85dbe63f773cd20e64378cee5f87",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_signatures_are_those_that_aws_published(name):
    url, body, headers, token, of, names, signature = VECTORS[name]
    given = signed(
        url,
        body,
        headers,
        Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token),
        region="us-east-1",
        service=of,
        moment=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert given["Authorization"] == (
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{of}/aws4_request,"
        f" SignedHeaders={names}, Signature={signature}"
    )


async def test_the_webhook_gets_json_that_it_can_check(with_webhook, service, text):
    await with_webhook.send(text)

    [(request, body)] = service.asked
    assert request.path_qs == "/texts?of=us"
    assert json.loads(body) == {
        "type": "text_message",
        "to": text.to,
        "text": text.body,
        "expires_at": text.expires_at.isoformat(),
    }
    name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert name == str(text.id)
    assert abs(int(stamp) - datetime.now(UTC).timestamp()) < 10
    right = hmac.digest(SECRET.encode(), f"{name}.{stamp}.".encode() + body, "sha256")
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(right).decode()}"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, twilio_no(21211, 400), Refused, "no such number"),
        (400, twilio_no(21610, 400), Refused, "to stop our messages"),
        (401, twilio_no(20003, 401), Refused, "does not accept our account"),
        (400, twilio_no(99999, 400), Refused, "refused the message: 400, 99999"),
        (429, twilio_no(20429, 429), NotSent, "slow down"),
        (500, b"<html>oops +491512345678</html>", NotSent, "answered 500"),
        (201, b"not json", NotSent, "answered 201"),
        (201, b"[1]", NotSent, "answered 201"),
        (200, b"", NotSent, "answered 200"),
    ],
)
async def test_what_twilio_answers_is_told_in_our_words(
    with_twilio, service, text, status, body, kind, words
):
    service.status, service.body = status, body
    with pytest.raises(NotSent, match=words) as told:
        await with_twilio.send(text)
    assert type(told.value) is kind
    assert "+49" not in str(told.value)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, sns_no("InvalidParameter"), Refused, "does not accept this number"),
        (400, sns_no("OptedOut"), Refused, "to stop our messages"),
        (403, sns_no("AuthorizationError"), Refused, "does not let our key"),
        (403, sns_no("SignatureDoesNotMatch"), Refused, "our secret key"),
        (400, sns_no("Throttling"), NotSent, "slow down"),
        (429, sns_no("ThrottledException"), NotSent, "slow down"),
        (400, sns_no("Whatever"), Refused, "400, Whatever"),
        (400, b"junk", Refused, "400, no reason"),
        (503, b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>", NotSent, "answered 503"),
        (200, b"<html>a captive portal</html>", NotSent, "answered 200"),
    ],
)
async def test_what_aws_answers_is_told_in_our_words(
    with_sns, service, text, status, body, kind, words
):
    service.status, service.body = status, body
    with pytest.raises(NotSent, match=words) as told:
        await with_sns.send(text)
    assert type(told.value) is kind
    assert "+49" not in str(told.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, Refused), (302, Refused), (429, NotSent), (502, NotSent)],
)
async def test_what_the_webhook_answers_is_told_by_its_number(
    with_webhook, service, text, status, kind
):
    service.status, service.body = status, text.to.encode()
    with pytest.raises(NotSent, match=str(status)) as told:
        await with_webhook.send(text)
    assert type(told.value) is kind
    assert text.to not in str(told.value)


async def test_nobody_waits_for_a_service_that_does_not_answer(sender, service, text, configure):
    configure(SMS_TIMEOUT="0.5")
    service.seconds = 30
    began = datetime.now(UTC)
    with pytest.raises(NotSent, match="no answer"):
        await sender.send(text)
    assert datetime.now(UTC) - began < timedelta(seconds=20)


async def test_an_endless_answer_is_not_read_to_its_end(sender, service, text):
    service.body = b"x" * 200_000
    with pytest.raises(NotSent, match="no answer"):
        await sender.send(text)


async def test_no_redirect_carries_number_and_code_elsewhere(sender, service, text):
    service.status, service.headers = 307, {"Location": f"{service.address}/elsewhere"}
    with pytest.raises(NotSent):
        await sender.send(text)
    assert len(service.asked) == 1


async def test_a_closed_door_is_told(sender, text, configure):
    unused_port = free_port()
    for name in ("TWILIO", "SNS", "WEBHOOK"):
        configure(**{f"SMS_{name}_URL": f"http://127.0.0.1:{unused_port}"})
    with pytest.raises(NotSent, match="no answer"):
        await sender.send(text)


async def test_in_production_no_message_goes_to_a_private_network(
    with_webhook, service, text, configure
):
    configure(APP_ENV="production", SMS_WEBHOOK_URL="https://10.0.0.1/texts")
    with pytest.raises(Refused, match="do not call"):
        await with_webhook.send(text)


async def test_what_is_not_set_is_named(configure, text):
    configure(SMS_SENDER="twilio")
    with pytest.raises(NotSent, match="SMS_TWILIO_ACCOUNT, SMS_TWILIO_SECRET, SMS_TWILIO_FROM"):
        await twilio.send(text)
