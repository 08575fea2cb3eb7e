"""Which answers people look at. Written down with the call itself: both are there, or neither.

It runs when the answer has been told, so nobody's words wait for it.
"""

from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from app.audit import service as audit
from app.core.direct import Direct
from app.core.ids import uuid7
from app.llm.call import Call
from app.llm.errors import AnswerInReview
from app.llm.steps.restoring import restored_text
from app.review.drawing import drawn
from app.review.queueing import deadline
from app.review.settings import PRIORITIES, ReviewSettings

AFTER = "sampling"
GUARDS = ("input_guards", "tool_guards", "output_guards", "structure")

QUEUE: LiteralString = (
    "WITH item AS (INSERT INTO review_items (id, organization_id, user_id, call_id, feature, model,"
    " prompt, prompt_version, reason, sampled, withheld, question, answer, sources, guards,"
    " confidence, signals) VALUES (%(id)s, %(organization_id)s, %(user_id)s, %(call_id)s,"
    " %(feature)s, %(model)s, %(prompt)s, %(prompt_version)s, %(reason)s, %(sampled)s,"
    " %(withheld)s, %(question)s, %(answer)s, %(sources)s, %(guards)s, %(confidence)s, %(signals)s)"
    " ON CONFLICT (call_id) DO NOTHING RETURNING id, organization_id)"
    " INSERT INTO review_looks (id, organization_id, item_id, number, priority, due_at)"
    " SELECT %(look_id)s, organization_id, id, 1, %(priority)s, %(due_at)s FROM item"
)


async def after(call: Call, db: Direct) -> None:
    if call.person.account is None or call.goes_on:
        return  # The app asks itself; or the answer is still to come.
    is_sampled = call.outcome == "answered" and _is_drawn(call)
    reason = _reason(call) or ("sampled" if is_sampled else "")
    if not reason:
        return
    db.write(QUEUE, _row(call, reason, is_sampled))
    detail = {"reason": reason, "feature": call.ask.feature}
    await audit.record(db, "review.queued", person=call.person, target=call.id, detail=detail)
    if reason != "sampled":
        call.notes["review"] = {"state": "waiting", "reason": reason}


def _reason(call: Call) -> str:
    if isinstance(call.problem, AnswerInReview):
        return call.problem.reason
    found = call.notes.get("confidence")
    # Without a draft there is no conversation in which the reviewed answer could stand.
    if call.outcome == "answered" and found and call.draft is not None:
        below = ReviewSettings.load().confidence_below
        return "low_confidence" if found["score"] < below else ""
    return ""


def _is_drawn(call: Call) -> bool:
    share = ReviewSettings.load().sample.get(call.ask.feature, 0)
    return drawn(call.id, share, "sample")


def _row(call: Call, reason: str, is_sampled: bool) -> dict[str, Any]:
    asked = [one.content for one in call.ask.messages if one.role == "user"]
    used, found = call.ask.prompt, call.notes.get("confidence")
    return {
        "id": uuid7(),
        "look_id": uuid7(),
        "organization_id": call.person.organization_id,
        "user_id": call.person.user_id,
        "call_id": call.id,
        "feature": call.ask.feature,
        "model": call.used.model if call.used else "",
        "prompt": used.name if used else "",
        "prompt_version": used.version if used else None,
        "reason": reason,
        "sampled": is_sampled,
        "withheld": isinstance(call.problem, AnswerInReview),
        "question": restored_text(call, asked[-1]),
        "answer": call.held if isinstance(call.problem, AnswerInReview) else "".join(call.said),
        "sources": Jsonb(_sources(call)),
        "guards": Jsonb({name: call.notes[name] for name in GUARDS if name in call.notes}),
        "confidence": found["score"] if found else None,
        "signals": found["signals"] if found else [],
        "priority": PRIORITIES[reason],
        "due_at": deadline(reason),
    }


def _sources(call: Call) -> list[dict[str, str]]:
    """What the answer cites."""
    found = call.finish.sources if call.finish else ()
    return [{"title": one.title, "path": one.path, "quote": one.quote} for one in found]
