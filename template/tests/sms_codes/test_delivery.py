"""From the row to the service, through the job."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text as sql

from app.core import db
from app.jobs.queue import Attempt, GiveUp, attempt
from app.sms_codes import jobs, messages, senders
from app.sms_codes.models import SmsMessage
from app.sms_codes.numbers import parse
from tests.factories import make_user
from tests.sms_codes.conftest import new_number, twilio_no


async def written(minutes: int = 10):
    """A message that waits, to a number of its own."""
    ada = await make_user()
    number = parse(new_number())
    async with db.transaction(elevated=True) as session:
        ends = datetime.now(UTC) + timedelta(minutes=minutes)
        await messages.send(session, ada.user_id, number, "654321 is your code", ends)
    async with db.transaction(elevated=True) as session:
        found = await session.execute(
            sql("SELECT id FROM sms_messages WHERE user_id = :u"), {"u": ada.user_id}
        )
        return found.scalar_one(), number.e164


async def row(message_id):
    async with db.transaction(elevated=True) as session:
        return await session.get_one(SmsMessage, message_id)


async def test_what_was_sent_is_sent_once_and_kept_no_longer(with_webhook, service):
    message_id, number = await written()
    await jobs.deliver(message_id)
    await jobs.deliver(message_id)

    assert len(service.asked) == 1
    assert json.loads(service.asked[0][1])["to"] == number
    kept = await row(message_id)
    assert (kept.status, kept.number, kept.body) == ("sent", None, None)


async def test_a_message_is_not_sent_after_its_code_has_ended(with_webhook, service):
    message_id, _ = await written(minutes=0)
    await jobs.deliver(message_id)

    assert service.asked == []
    kept = await row(message_id)
    assert (kept.status, kept.body, kept.error) == ("failed", None, messages.TOO_LATE)


async def test_a_refusal_ends_it_and_a_bad_moment_does_not(with_webhook, service, monkeypatch):
    message_id, _ = await written()
    service.status = 503
    token = attempt.set(Attempt(1, last=False))
    with pytest.raises(senders.NotSent):
        await jobs.deliver(message_id)
    attempt.reset(token)
    assert (await row(message_id)).status == "queued"
    service.status = 400
    with pytest.raises(GiveUp):
        await jobs.deliver(message_id)
    kept = await row(message_id)
    assert (kept.status, kept.error) == ("failed", "The webhook refused the message: 400.")
    service.status = 200
    await jobs.deliver(message_id)
    assert len(service.asked) == 2


async def test_the_log_knows_neither_number_nor_code(sender, service, caplog):
    service.status, service.body = 400, twilio_no(21211, 400)
    message_id, number = await written()
    caplog.clear()
    with caplog.at_level("INFO", logger="app"), pytest.raises(GiveUp) as told:
        await jobs.deliver(message_id)
    lines = [one.msg for one in caplog.records if one.name == "app"]
    assert [line["event"] for line in lines] == ["sms.not_sent"]
    assert told.value.__cause__ is None
    for text in (str(lines), repr(told.value)):
        assert number not in text
        assert number[3:] not in text
        assert "654321" not in text


async def test_the_tables_hold_neither_number_nor_code():
    message_id, number = await written()
    async with db.transaction(elevated=True) as session:
        query = sql("SELECT m::text FROM sms_messages m WHERE id = :id")
        message = await session.scalar(query, {"id": message_id})
    async with db.transaction() as session:
        query = sql("SELECT args FROM procrastinate_jobs WHERE args->>'message_id' = :id")
        arguments = await session.scalar(query, {"id": str(message_id)})
    assert arguments == {"message_id": str(message_id)}
    for secret in (number.removeprefix("+"), "654321"):
        assert secret not in message
        assert secret.encode().hex() not in message
