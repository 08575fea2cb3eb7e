"""Every input guard reads what the person wrote."""

from collections import OrderedDict
from hashlib import blake2b

from app.guardrails import chain
from app.guardrails.verdicts import Question, Refused
from app.llm.call import Call
from app.llm.errors import QuestionRefused

# Earlier turns come along with each question. What passed once is not read again.
MOST_REMEMBERED = 4096
_passed: OrderedDict[bytes, None] = OrderedDict()


async def before(call: Call) -> None:
    for place, message in enumerate(call.ask.messages):
        if message.role != "user":
            continue
        question = Question(message.content, call.hidden.get(place, ""))
        fingerprint = _fingerprint(question)
        if fingerprint in _passed:
            _passed.move_to_end(fingerprint)
            continue
        try:
            opinions = await chain.check(question)
        except Refused as refusal:
            opinion = refusal.opinion
            call.notes["input_guards"] = {
                "guard": opinion.guard,
                "version": opinion.version,
                "reason": opinion.verdict.reason,
            }
            raise QuestionRefused(_sentence(refusal)) from refusal
        _passed[fingerprint] = None
        if len(_passed) > MOST_REMEMBERED:
            _passed.popitem(last=False)
        score = max((one.verdict.score for one in opinions), default=0.0)
        if score:
            call.notes["input_guards"] = {"score": f"{score:g}"}


def _fingerprint(question: Question) -> bytes:
    text = f"{sorted(chain.versions().items())}\0{question.hidden}\0{question.text}"
    return blake2b(text.encode(), digest_size=16).digest()


def _sentence(refusal: Refused) -> str:
    if refusal.failed:
        return "This question could not be checked, so it was not asked. Please try again."
    return (
        "This reads like an attempt to change the assistant's instructions, so it was not asked."
        " Please put it in other words."
    )
