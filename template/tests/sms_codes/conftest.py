import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import phonenumbers
import pytest
from aiohttp import web

from app.core import db
from app.core.clock import now
from app.core.ids import uuid7
from app.jobs.queue import run_until_empty
from app.sms_codes import messages
from app.sms_codes.messages import Text
from app.sms_codes.senders import sns, twilio, webhook
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser

SECRET = "a secret of the test that is long enough"


_had: set[str] = set()


def new_number(country: str = "DE") -> str:
    """A number that nobody else in this run has: limits count by number."""
    starts = {"DE": "+491512", "AT": "+4366412", "CH": "+417812", "FR": "+33612", "US": "+1202555"}
    start = starts[country]
    for _ in range(100):
        rest = {"US": 4, "FR": 6, "CH": 5}.get(country, 7)
        made = start + "".join(secrets.choice("0123456789") for _ in range(rest))
        if made not in _had and phonenumbers.is_valid_number(phonenumbers.parse(made)):
            _had.add(made)
            return made
    raise AssertionError(f"No valid number begins with {start}.")


@dataclass
class Service:
    """A service that sends, on a socket: it answers as it is told, and keeps what it was asked."""

    address: str = ""
    status: int = 200
    body: bytes = b""
    seconds: float = 0
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[web.Request, bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request, await request.read()))
        await asyncio.sleep(self.seconds)
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.address = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
def text() -> Text:
    from datetime import timedelta

    moment = now()
    return Text(
        id=uuid7(),
        to=new_number(),
        body="123456 is your code & more: äöü €",
        status="sending",
        created_at=moment,
        expires_at=moment + timedelta(minutes=10),
    )


@pytest.fixture
def texts_to() -> Callable[[str], Awaitable[list[Text]]]:
    """The messages that reached a number, newest first, after all jobs have run."""

    async def read(number: str) -> list[Text]:
        await run_until_empty()
        async with db.transaction(elevated=True) as session:
            return [one for one in await messages.inbox(session, 1000) if one.to == number]

    return read


def code_in(text: Text) -> str:
    return re.match(r"(\d{6}) is your code", text.body)[1]


TWILIO_YES = b'{"sid": "SM0123456789abcdef0123456789abcdef", "status": "queued"}'
SNS_YES = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
    b"<MessageId>567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId></PublishResult>"
    b"<ResponseMetadata><RequestId>d74b8436-ae13-5ab4-a9ff-ce54dfea72a0</RequestId>"
    b"</ResponseMetadata></PublishResponse>"
)


def sns_no(code: str) -> bytes:
    return (
        '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>Invalid parameter: +491512</Message></Error>"
        "<RequestId>x</RequestId></ErrorResponse>"
    ).encode()


def twilio_no(code: int, status: int) -> bytes:
    return json.dumps(
        {"code": code, "message": "The 'To' number +491512345 is bad.", "status": status}
    ).encode()


@pytest.fixture
def with_twilio(configure, service):
    configure(
        SMS_SENDER="twilio",
        SMS_TWILIO_ACCOUNT="AC0123",
        SMS_TWILIO_SECRET="the token",
        SMS_TWILIO_FROM="+15005550006",
        SMS_TWILIO_URL=service.address,
        SMS_TIMEOUT="30",
    )
    service.status, service.body = 201, TWILIO_YES
    return twilio


@pytest.fixture
def with_sns(configure, service):
    configure(
        SMS_SENDER="sns",
        SMS_SNS_REGION="eu-central-1",
        SMS_SNS_ACCESS_KEY="AKIDEXAMPLE",
        SMS_SNS_SECRET_KEY="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        SMS_SNS_URL=service.address,
        SMS_TIMEOUT="30",
    )
    service.status, service.body = 200, SNS_YES
    return sns


@pytest.fixture
def with_webhook(configure, service):
    configure(
        SMS_SENDER="webhook",
        SMS_WEBHOOK_URL=f"{service.address}/texts?of=us",
        SMS_WEBHOOK_SECRET=SECRET,
        SMS_TIMEOUT="30",
    )
    return webhook


@pytest.fixture(params=["with_twilio", "with_sns", "with_webhook"])
def sender(request):
    return request.getfixturevalue(request.param)
