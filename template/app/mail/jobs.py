from datetime import timedelta
from uuid import UUID

from app.core.clock import now
from app.core.db import transaction
from app.core.logging import log
from app.core.retention import delete_old
from app.jobs.queue import GiveUp, attempt, every, task
from app.mail import service, smtp
from app.mail.models import MailMessage
from app.mail.settings import MailSettings


@task("mail.deliver", retries=8, first_wait=15, timeout=120, priority=10)
async def deliver(message_id: UUID) -> None:
    """Twice only if we die between the server's yes and our note of it; the Message-ID tells."""
    async with transaction(elevated=True) as db:
        letter = await service.begin_delivery(db, message_id)
    if letter is None:
        return
    try:
        if MailSettings.load().backend == "smtp":
            await smtp.send(letter)
    except Exception as error:
        refused = isinstance(error, smtp.Refused)
        # Only our own words: a server's answer may quote the address.
        reason = str(error) if refused else type(error).__name__
        final = refused or attempt.get().last
        async with transaction(elevated=True) as db:
            await service.mark_failed(db, message_id, reason, final=final)
        if refused:
            raise GiveUp(reason) from error
        raise
    async with transaction(elevated=True) as db:
        await service.mark_sent(db, message_id)
    log.info("mail.sent", message_id=message_id)


@every("41 3 * * *")
@task("mail.remove_old")
async def remove_old() -> None:
    before = now() - timedelta(days=MailSettings.load().keep_days)
    await delete_old(MailMessage, MailMessage.created_at < before)
