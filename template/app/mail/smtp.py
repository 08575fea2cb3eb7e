"""Hand one message to a mail server."""

import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

import aiosmtplib

from app.mail.html import as_html
from app.mail.service import Letter
from app.mail.settings import MailSettings


class Refused(Exception):
    """The server will not take this message, however often we ask."""


async def send(letter: Letter) -> None:
    """Raises `Refused` when there is no use in trying again."""
    settings = MailSettings.load()
    message = compose(letter, settings.sender)
    try:
        await aiosmtplib.send(
            message,
            sender=parseaddr(settings.sender)[1],
            recipients=[letter.to],
            hostname=settings.host,
            port=settings.port,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=_tls(settings) if settings.tls != "none" else None,
            timeout=settings.timeout,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        codes = [one.code for one in error.recipients]
        if all(code >= 500 for code in codes):
            raise Refused(f"recipient refused: {codes}") from error
        raise
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
        if error.code >= 500:
            raise Refused(f"{type(error).__name__} {error.code}") from error
        raise


def compose(letter: Letter, sender: str) -> EmailMessage:
    """The message with headers; the policy refuses line breaks in any of them."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(letter.created_at)
    # The same at each try, so that a mailbox shows a message that came twice only once.
    message["Message-ID"] = f"<{letter.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.body)
    message.add_alternative(as_html(letter.subject, letter.body), subtype="html")
    return message


def _tls(settings: MailSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
