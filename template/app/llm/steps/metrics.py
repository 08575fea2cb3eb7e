"""What is counted of each call. Nothing tells whose it was."""

from app.core import service_levels
from app.core.errors import Problem
from app.core.metrics import SLOW_SECONDS, Counter, Histogram
from app.core.service_levels import ServiceLevels
from app.llm.call import Call

CALLS = Counter(
    "app_model_calls_total",
    "Calls that ended, by how; the problem is empty when there was none.",
    *("feature", "provider", "model", "outcome", "problem"),
)
FIRST = Histogram(
    "app_model_first_word_seconds",
    "Seconds from the question until the model's first word.",
    *("provider", "model"),
    buckets=SLOW_SECONDS,
)
TOOK = Histogram(
    "app_model_call_seconds",
    "Seconds from the question to the end of the answer.",
    *("provider", "model"),
    buckets=SLOW_SECONDS,
)
TOKENS = Counter(
    "app_model_tokens_total", "Tokens that were booked.", "feature", "provider", "model", "kind"
)
DOLLARS = Counter(
    "app_model_cost_dollars_total", "What calls cost.", "feature", "provider", "model"
)
GUARDS = Counter(
    "app_guard_verdicts_total",
    "Guards that did something: blocked, or masked data.",
    *("guard", "side", "action"),
)
FALLBACKS = Counter(
    "app_model_fallbacks_total", "Questions that the second model was asked.", "instead_of"
)
RETRIES = Counter("app_model_retries_total", "Further tries after a failed one.", "provider")
HEDGES = Counter(
    "app_model_hedges_total",
    "Calls that were asked a second time before the first word, by who spoke first.",
    *("provider", "answered"),
)
FALLBACKS.add("", by=0)

SIDES = {
    "input_guards": "question",
    "tool_guards": "tool",
    "output_guards": "answer",
    "structure": "answer",
}


def ended(call: Call) -> None:
    provider = call.provider.name if call.provider else "none"
    model = call.provider.model if call.provider else "none"
    problem = call.problem if isinstance(call.problem, Problem) else None
    told = problem.type.removeprefix("/problems/") if problem else ""
    CALLS.add(call.ask.feature, provider, model, call.outcome, told)
    _guards(call)
    _levels(call, problem)
    if "fallback" in call.notes:
        FALLBACKS.add(str(call.notes["fallback"]["instead_of"]))
    if "retries" in call.notes:
        RETRIES.add(provider, by=float(call.notes["retries"]["times"]))
    if "hedge" in call.notes:
        HEDGES.add(str(call.notes["hedge"]["asked"]), str(call.notes["hedge"]["answered"]))
    if not call.sent:
        return
    TOOK.see(call.milliseconds() / 1000, provider, model)
    if call.first_text_at is not None:
        FIRST.see(call.milliseconds(call.first_text_at) / 1000, provider, model)
    if used := call.used:
        labels = call.ask.feature, provider, model
        TOKENS.add(*labels, "input", by=used.input_tokens)
        TOKENS.add(*labels, "cached", by=used.cached_input_tokens)
        TOKENS.add(*labels, "output", by=used.output_tokens)
        DOLLARS.add(*labels, by=used.microdollars / 1_000_000)


def _guards(call: Call) -> None:
    for step, side in SIDES.items():
        note = call.notes.get(step, {})
        if guard := note.get("guard"):
            GUARDS.add(guard, side, "blocked")
        for kind in note.get("masked", ()):
            GUARDS.add(kind.replace(" ", "_"), side, "masked")


def _levels(call: Call, problem: Problem | None) -> None:
    """A question that was refused, withheld or left did not fail; nor did one that is too long."""
    if call.outcome == "answered" or (call.outcome == "failed" and _is_ours(problem)):
        service_levels.count("answers", good=call.outcome == "answered")
    if call.first_text_at is not None:
        allowed = ServiceLevels.load().first_token_seconds * 1000
        service_levels.count("first_token", good=call.milliseconds(call.first_text_at) <= allowed)


def _is_ours(problem: Problem | None) -> bool:
    return problem is None or problem.status >= 500
