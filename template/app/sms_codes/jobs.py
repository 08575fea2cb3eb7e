from uuid import UUID

from app.core.db import transaction
from app.core.logging import log
from app.jobs.queue import GiveUp, attempt, every, task
from app.sms_codes import messages, senders, service


@task("sms_codes.deliver", retries=4, first_wait=5, timeout=60, priority=20)
async def deliver(message_id: UUID) -> None:
    """Twice only if we die between the service's yes and our note of it; the code is the same."""
    async with transaction(elevated=True) as db:
        text = await messages.begin_delivery(db, message_id)
    if text is None:
        return
    try:
        await senders.chosen().send(text)
    except Exception as error:  # noqa: BLE001 raised again, without what it may quote
        refused = isinstance(error, senders.Refused)
        # Only our own words: a service's answer may quote the number.
        ours = isinstance(error, senders.NotSent)
        reason = str(error) if ours else type(error).__name__
        final = refused or attempt.get().last
        async with transaction(elevated=True) as db:
            await messages.mark_failed(db, message_id, reason, final=final)
        log.warning("sms.not_sent", message_id=message_id, reason=reason, final=final)
        if refused:
            raise GiveUp(reason) from None
        raise senders.NotSent(reason) from None
    async with transaction(elevated=True) as db:
        await messages.mark_sent(db, message_id)
    log.info("sms.sent", message_id=message_id)


@every("51 3 * * *")
@task("sms_codes.remove_old")
async def remove_old() -> None:
    async with transaction(elevated=True) as db:
        await service.remove_old(db)
