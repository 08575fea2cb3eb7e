"""Notes what each call was like, and keeps a sample of them for the judge.

It is written in the transaction that settles the call, and nobody waits for a judge. What the
guards had masked in the question is masked in the answer, too, before it is put away.
"""

from typing import Any, LiteralString

import orjson

from app.core.clock import now
from app.core.crypto import encrypt
from app.core.direct import Direct
from app.core.logging import log
from app.llm.call import Call
from app.monitoring import seeing
from app.monitoring.settings import JudgeSettings, MonitoringSettings

AFTER = "sampling"
MOST_CHARACTERS = 12_000
"""Of the question and of the answer, as far as the judge reads them."""
EARLIER_MESSAGES = 4
SHARES = 10_000

OBSERVE: LiteralString = (
    "SELECT monitoring_observe(%(call_id)s, %(organization_id)s, %(feature)s, %(provider)s,"
    " %(model)s, %(prompt)s, %(prompt_version)s, %(outcome)s, %(guard)s, %(declined)s,"
    " %(confidence)s, %(asked)s, %(answered)s, %(language)s, %(topic)s,"
    " %(asker)s, %(words)s)"
)


async def after(call: Call, db: Direct) -> None:
    # The app itself is no traffic; a call that asks for tools is no answer yet.
    if call.person.account is None or call.goes_on:
        return
    try:
        db.write(OBSERVE, _seen(call))
    except Exception:  # noqa: BLE001 watching an answer must never cost anybody the answer
        log.exception("monitoring.not_noted", call_id=str(call.id))


def _seen(call: Call) -> dict[str, Any]:
    question = next((m.content for m in reversed(call.ask.messages) if m.role == "user"), "")
    answer = _masked(call, "".join(call.said))
    prompt, confidence = call.ask.prompt, call.notes.get("confidence") or {}
    is_sampled = call.outcome == "answered" and answer and _is_sampled(call)
    return {
        "call_id": call.id,
        "organization_id": call.person.organization_id,
        "feature": call.ask.feature[:60],
        "provider": call.provider.name[:40] if call.provider else "",
        "model": _model(call)[:200],
        "prompt": prompt.name[:80] if prompt else "",
        "prompt_version": prompt.version if prompt else None,
        "outcome": call.outcome,
        "guard": _guard(call)[:60],
        "declined": seeing.declines(answer),
        "confidence": confidence.get("score"),
        "asked": len(question),
        "answered": len(answer),
        "language": seeing.language(question),
        "topic": seeing.topic(question),
        "asker": seeing.asker(call.person.user_id, now()),
        "words": _sealed(call, question, answer) if is_sampled else None,
    }


def _masked(call: Call, answer: str) -> str:
    for placeholder, said in call.masked.items():
        answer = answer.replace(said, placeholder)
    return answer


def _is_sampled(call: Call) -> bool:
    """The same answer for the same call, whoever asks."""
    percent = MonitoringSettings.load().percent_of(call.ask.feature)
    return JudgeSettings.load().is_on and call.id.int % SHARES < percent * SHARES / 100


def _guard(call: Call) -> str:
    for step in ("input_guards", "output_guards", "structure"):
        note = call.notes.get(step)
        if isinstance(note, dict) and "guard" in note and call.outcome in {"refused", "withheld"}:
            return str(note["guard"])
    return ""


def _model(call: Call) -> str:
    if call.finish:
        return call.finish.model
    return call.provider.model if call.provider else ""


def _sealed(call: Call, question: str, answer: str) -> bytes:
    earlier = [one for one in call.ask.messages if one.role != "system" and one.content]
    told = {
        "before": [
            {"role": one.role, "text": one.content[:MOST_CHARACTERS]}
            for one in earlier[:-1][-EARLIER_MESSAGES:]
        ],
        "question": question[:MOST_CHARACTERS],
        "answer": answer[:MOST_CHARACTERS],
    }
    return encrypt(orjson.dumps(told).decode(), place(call.id))


def place(call_id: object) -> str:
    """Where the words are encrypted for."""
    return f"monitoring_judgements.words:{call_id}"
