from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import now
from app.core.crypto import decrypt, encrypt
from app.core.db import elevated
from app.core.errors import Invalid, NotFound
from app.core.ids import uuid7
from app.core.settings import get_settings
from app.jobs.queue import enqueue
from app.mail import templates
from app.mail.models import MailMessage, Status
from app.mail.settings import MailSettings


class UnsendableAddress(Invalid):
    pass


class NoSuchMessage(NotFound):
    pass


@dataclass(frozen=True)
class Letter:
    """A message in clear."""

    id: UUID
    to: str
    subject: str = field(repr=False)
    body: str = field(repr=False)
    status: str
    created_at: datetime


async def send(db: AsyncSession, to: str, template: str, **context: object) -> UUID:
    """Send a mail when the caller's transaction commits.

    `template` is `<module>/<name>` for `app/<module>/mails/<name>.txt`.
    """
    recipient = sendable(to)
    subject, body = templates.render(template, context)
    message_id = uuid7()
    message = MailMessage(
        id=message_id,
        recipient=recipient,
        template=template,
        subject=encrypt(subject, _place("subject", message_id)),
        body=encrypt(body, _place("body", message_id)),
    )
    async with elevated(db):
        db.add(message)
    await enqueue(db, "mail.deliver", message_id=message_id)
    return message_id


def sendable(address: str) -> str:
    """The address as it goes on the envelope. Raises `UnsendableAddress`."""
    try:
        found = validate_email(
            address,
            check_deliverability=False,
            test_environment=not get_settings().production,
        )
    except EmailNotValidError as error:
        raise UnsendableAddress("This is not a mail address we can write to.") from error
    return found.ascii_email or found.normalized


async def begin_delivery(db: AsyncSession, message_id: UUID) -> Letter | None:
    """The message to send now; None when it has gone out already or is no more."""
    message = await db.get(MailMessage, message_id, with_for_update=True)
    if message is None or message.status == Status.SENT:
        return None
    message.status = Status.SENDING
    message.attempts += 1
    return _letter(message)


async def mark_sent(db: AsyncSession, message_id: UUID) -> None:
    """What was sent is no longer ours to keep; the dev inbox is the exception."""
    values: dict[str, object] = {"status": Status.SENT, "sent_at": now(), "error": None}
    if MailSettings.load().backend != "inbox":
        values |= {"subject": None, "body": None}
    await db.execute(update(MailMessage).where(MailMessage.id == message_id).values(values))


async def mark_failed(db: AsyncSession, message_id: UUID, error: str, *, final: bool) -> None:
    status = Status.FAILED if final else Status.QUEUED
    await db.execute(
        update(MailMessage)
        .where(MailMessage.id == message_id)
        .values(status=status, error=error[:200])
    )


async def inbox(db: AsyncSession, to: str | None = None, limit: int = 100) -> list[Letter]:
    """What the dev inbox shows, the newest first."""
    query = select(MailMessage).where(MailMessage.body.is_not(None))
    if to:
        query = query.where(MailMessage.recipient.ilike(_pattern(to), escape="\\"))
    rows = await db.scalars(query.order_by(MailMessage.id.desc()).limit(limit))
    return [_letter(message) for message in rows]


async def letter(db: AsyncSession, message_id: UUID) -> Letter:
    message = await db.get(MailMessage, message_id)
    if message is None or message.body is None:
        raise NoSuchMessage("There is no such message.")
    return _letter(message)


async def forget(db: AsyncSession, address: str) -> None:
    """Delete what was written to an address, sent or not, when its owner's account goes."""
    async with elevated(db):
        await db.execute(delete(MailMessage).where(MailMessage.recipient == sendable(address)))


def _letter(message: MailMessage) -> Letter:
    return Letter(
        id=message.id,
        to=message.recipient,
        subject=decrypt(message.subject or b"", _place("subject", message.id)),
        body=decrypt(message.body or b"", _place("body", message.id)),
        status=message.status,
        created_at=message.created_at,
    )


def _place(column: str, message_id: UUID) -> str:
    return f"mail_messages.{column}:{message_id}"


def _pattern(text: str) -> str:
    for sign in "\\%_":
        text = text.replace(sign, f"\\{sign}")
    return f"%{text}%"
