"""Every call is written into the audit log: what it was, not what was said."""

from typing import Any

from app.audit import service as audit
from app.core.direct import Direct
from app.core.errors import Problem
from app.core.logging import log
from app.guardrails import chain
from app.llm.call import Call
from app.llm.errors import ContextTooLong, QuestionEmpty, QuestionTooLong

# Slips of the keyboard, not events.
NOT_RECORDED = (QuestionEmpty, QuestionTooLong, ContextTooLong)


async def after(call: Call, db: Direct) -> None:
    if isinstance(call.problem, NOT_RECORDED) and not call.sent:
        return
    told = _told(call)
    await audit.record(db, f"model.{call.outcome}", person=call.person, target=call.id, detail=told)
    log.info(f"model.{call.outcome}", call_id=str(call.id), ms=call.milliseconds(), **told)


def _told(call: Call) -> dict[str, Any]:
    used = call.used
    told: dict[str, Any] = {"feature": call.ask.feature, "guards": chain.versions(), **call.notes}
    if call.provider:
        told |= {"provider": call.provider.name, "model": used.model if used else ""}
    if used and call.sent:
        told |= {
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
            "microdollars": used.microdollars,
            "estimated": used.estimated,
        }
    if call.first_text_at:
        told["first_text_ms"] = call.milliseconds(call.first_text_at)
    if call.finish:
        told["finish_reason"] = call.finish.reason
        if call.finish.unread:
            told["unread"] = sorted(call.finish.unread)[:10]
    if isinstance(call.problem, Problem):
        told["problem"] = call.problem.type.removeprefix("/problems/")
    return told
