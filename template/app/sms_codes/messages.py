"""Text messages: written in the caller's transaction, sent by a job, read at /dev/texts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import now
from app.core.crypto import decrypt, encrypt
from app.core.ids import uuid7
from app.jobs.queue import enqueue
from app.sms_codes.models import SmsMessage, Status
from app.sms_codes.numbers import Number
from app.sms_codes.settings import SmsSettings

TOO_LATE = "The code had ended before the message could be sent."


@dataclass(frozen=True)
class Text:
    """A message in clear."""

    id: UUID
    to: str = field(repr=False)
    body: str = field(repr=False)
    status: str
    created_at: datetime
    expires_at: datetime


async def send(
    db: AsyncSession,
    user_id: UUID,
    number: Number,
    body: str,
    expires_at: datetime,
    *,
    known: bool = False,
) -> None:
    """Send when the caller's transaction commits, instead of what still waits for this person."""
    waiting = delete(SmsMessage).where(
        SmsMessage.user_id == user_id,
        SmsMessage.status == Status.QUEUED,
        SmsMessage.known == known,
    )
    await db.execute(waiting)
    message_id = uuid7()
    db.add(
        SmsMessage(
            id=message_id,
            user_id=user_id,
            country=number.country,
            known=known,
            number=encrypt(number.e164, _place("number", message_id)),
            body=encrypt(body, _place("body", message_id)),
            expires_at=expires_at,
        )
    )
    await enqueue(db, "sms_codes.deliver", message_id=message_id)


async def newest_failed(db: AsyncSession, user_id: UUID, *, known: bool) -> bool:
    """Whether the last message to a person could not be sent."""
    newest = select(SmsMessage.status).where(
        SmsMessage.user_id == user_id, SmsMessage.known == known
    )
    status = await db.scalar(newest.order_by(SmsMessage.id.desc()).limit(1))
    return status == Status.FAILED


async def begin_delivery(db: AsyncSession, message_id: UUID) -> Text | None:
    """The message to send now; None when it has gone out, is no more, or comes too late."""
    message = await db.get(SmsMessage, message_id, with_for_update=True)
    if message is None or message.status in {Status.SENT, Status.FAILED}:
        return None
    if message.expires_at <= now():
        await mark_failed(db, message_id, TOO_LATE, final=True)
        return None
    message.status = Status.SENDING
    message.attempts += 1
    return _text(message)


async def mark_sent(db: AsyncSession, message_id: UUID) -> None:
    """What was sent is no longer ours to keep; the dev inbox is the exception."""
    values: dict[str, object] = {"status": Status.SENT, "sent_at": now(), "error": None}
    if SmsSettings.load().sender != "stand_in":
        values |= {"number": None, "body": None}
    await db.execute(update(SmsMessage).where(SmsMessage.id == message_id).values(values))


async def mark_failed(db: AsyncSession, message_id: UUID, error: str, *, final: bool) -> None:
    values: dict[str, object] = {
        "status": Status.FAILED if final else Status.QUEUED,
        "error": error[:200],
    }
    if final:
        values |= {"number": None, "body": None}
    await db.execute(update(SmsMessage).where(SmsMessage.id == message_id).values(values))


async def inbox(db: AsyncSession, limit: int = 100) -> list[Text]:
    """What the dev inbox shows, the newest first."""
    query = select(SmsMessage).where(SmsMessage.body.is_not(None))
    return [
        _text(one) for one in await db.scalars(query.order_by(SmsMessage.id.desc()).limit(limit))
    ]


async def remove_old(db: AsyncSession) -> None:
    before = now() - timedelta(days=SmsSettings.load().keep_days)
    await db.execute(delete(SmsMessage).where(SmsMessage.created_at < before))


def _text(message: SmsMessage) -> Text:
    return Text(
        id=message.id,
        to=decrypt(message.number or b"", _place("number", message.id)),
        body=decrypt(message.body or b"", _place("body", message.id)),
        status=message.status,
        created_at=message.created_at,
        expires_at=message.expires_at,
    )


def _place(column: str, message_id: UUID) -> str:
    return f"sms_messages.{column}:{message_id}"
