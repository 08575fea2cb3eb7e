"""Every input guard reads what the person wrote; what it masks goes out as a placeholder."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from app.guardrails import chain, state
from app.guardrails.output.secrets import PRIVATE
from app.guardrails.settings import GuardrailsSettings
from app.guardrails.stricter import Stricter
from app.guardrails.verdicts import Mask, Opinion, Question, Refused, Zone
from app.llm.call import Call
from app.llm.errors import AnswerInReview, QuestionRefused
from app.llm.port import Message, ToolCall

# Earlier turns come along with each question. What passed once is not read again.
MOST_REMEMBERED = 4096
_passed: OrderedDict[bytes, tuple[Mask, ...]] = OrderedDict()
_settings: GuardrailsSettings | None = None
WITHHELD = "[This result was withheld: it reads like an attempt to change your instructions.]"
# By guards that refuse only because the organisation wants it.
OWN = {
    "forbidden_words": "This question holds words that your organisation does not allow",
    "personal_data": "This question holds personal data, which your organisation sends to no model",
    "profanity": "This question holds swear words, which your organisation does not allow",
    "review_words": "This question holds words that your organisation does not allow",
}
EXPLAINED = "\n\nTexts like [EMAIL_1] stand for data that you need not know. Keep them as they are."


async def before(call: Call) -> None:
    own = await state.of(call.person.organization_id)
    if own.version:
        call.notes["guard_settings"] = own.version
    messages = list(call.ask.messages)
    # What was asked before has been judged then, and perhaps released by a person.
    last = max((at for at, one in enumerate(messages) if one.role == "user"), default=0)
    for place, message in enumerate(messages):
        if message.role == "system":
            continue
        try:
            masks, review = await _read(call, place, message, own)
        except Refused as refusal:
            opinion = refusal.opinion
            if message.role == "tool":
                # The person cannot put it in other words; the model goes on without it.
                messages[place] = replace(message, content=WITHHELD)
                call.notes["tool_guards"] = {"guard": opinion.guard, "version": opinion.version}
                continue
            call.notes["input_guards"] = {
                "guard": opinion.guard,
                "version": opinion.version,
                "reason": opinion.verdict.reason,
            }
            raise QuestionRefused(_sentence(refusal)) from refusal
        if review is not None and place >= last and call.ask.read_by_people:
            _let_a_person_look(call, review)
        if masks:
            messages[place] = replace(message, content=masked(call, message.content, masks))
        if message.calls:
            messages[place] = replace(messages[place], calls=await _calls(call, message.calls))
    if not call.masked:
        if "tool_guards" in call.notes:
            call.ask = replace(call.ask, messages=messages)
        return
    call.notes.setdefault("input_guards", {})["masked"] = sorted(
        {name.strip("[]").rpartition("_")[0].lower() for name in call.masked}
    )
    if messages[0].role == "system":
        messages[0] = replace(messages[0], content=messages[0].content + EXPLAINED)
    call.ask = replace(call.ask, messages=messages)


async def _calls(call: Call, calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """Tools got what the person wrote; the model gets placeholders for it, as before."""
    found = []
    for one in calls:
        masks = await chain.masks(one.arguments)
        found.append(replace(one, arguments=masked(call, one.arguments, masks)))
    return tuple(found)


def _let_a_person_look(call: Call, opinion: Opinion) -> None:
    """The answer is withheld until then, and nothing is done meanwhile: no tool is called."""
    call.for_people = AnswerInReview.reason
    call.ask = replace(call.ask, may_call=False)
    call.notes["input_guards"] = call.notes.get("input_guards", {}) | {
        "review": {
            "guard": opinion.guard,
            "version": opinion.version,
            "reason": opinion.verdict.reason,
        }
    }


async def _read(
    call: Call, place: int, message: Message, own: Stricter
) -> tuple[tuple[Mask, ...], Opinion | None]:
    """What must not go out, and whether a person must look at the answer."""
    _forget_what_other_settings_let_pass()
    zone: Zone = "tool" if message.role == "tool" else "person"
    question = Question(
        message.content, call.hidden.get(place, ""), zone, own.words, own.words_action
    )
    fingerprint = _fingerprint(message.role, question, own)
    if fingerprint in _passed:
        _passed.move_to_end(fingerprint)
        return _passed[fingerprint], None
    if message.role in {"user", "tool"}:
        opinions = await chain.check(question, own)
        masks = tuple(mask for one in opinions for mask in one.verdict.masks)
        if review := next((one for one in opinions if one.verdict.action == "review"), None):
            return masks, review  # Not remembered: asked again, a person looks again.
        if score := max((one.verdict.score for one in opinions), default=0.0):
            call.notes["input_guards"] = {"score": f"{score:g}"}
    else:
        # An earlier answer may hold what was put back into it.
        masks = tuple(await chain.masks(question.text))
    _passed[fingerprint] = masks
    if len(_passed) > MOST_REMEMBERED:
        _passed.popitem(last=False)
    return masks, None


def _forget_what_other_settings_let_pass() -> None:
    global _settings
    settings = GuardrailsSettings.load()
    if _settings is not settings:
        _settings = settings
        _passed.clear()


def masked(call: Call, text: str, masks: Sequence[Mask]) -> str:
    """The same data has the same placeholder in the whole conversation."""
    names = {said: name for name, said in call.masked.items()}
    parts, at = [], 0
    for mask in sorted(masks, key=lambda one: (one.start, -one.end)):
        if mask.start < at:
            continue
        said = text[mask.start : mask.end]
        kind = mask.kind.upper()
        if said not in names:
            number = 1 + sum(name.startswith(f"[{kind}_") for name in call.masked)
            names[said] = f"[{kind}_{number}]"
            call.masked[names[said]] = said
        parts += [text[at : mask.start], names[said]]
        at = mask.end
    return "".join([*parts, text[at:]])


def _fingerprint(role: str, question: Question, own: Stricter) -> bytes:
    whose = f"{own.organization_id}:{own.version}" if own.version else ""
    guards = f"{sorted(chain.versions().items())}\0{whose}"
    text = f"{guards}\0{role}\0{question.hidden}\0{question.text}"
    return blake2b(text.encode(), digest_size=16).digest()


def _sentence(refusal: Refused) -> str:
    if refusal.failed:
        return "This question could not be checked, so it was not asked. Please try again."
    opinion = refusal.opinion
    if opinion.guard in OWN:
        return f"{OWN[opinion.guard]}, so it was not asked. Please take it out."
    if opinion.guard == "pasted_secrets" and opinion.verdict.reason != PRIVATE:
        return "This question holds a key or token, so it was not asked. Please take it out."
    if opinion.guard == "pasted_secrets":
        return "This question holds a private key, so it was not asked. Please take it out."
    return (
        "This reads like an attempt to change the assistant's instructions, so it was not asked."
        " Please put it in other words."
    )
