"""An answer that was given before is given again, and passes every guard once more.

Only callers that say so (`Ask.reusable`) get one, and never where something personal was found or
for someone who works as somebody else.
"""

from collections.abc import Iterator

from app.cache import answers, checking
from app.cache.answers import Hit, Kept
from app.cache.keys import of
from app.cache.settings import CacheSettings
from app.flags import state
from app.guardrails import chain
from app.llm.call import Call, Events, Proceed
from app.llm.errors import ModelMisconfigured, ModelUnavailable, billed
from app.llm.port import Delta, Finish

SWITCH = "model.cache"
# Of other answers nobody knows whether they would be the same again.
WHOLE = "stop"
LEAST_CONFIDENCE = 50


def around(call: Call, proceed: Proceed) -> Events:
    return _around(call, proceed) if may_be_reused(call) else proceed(call)


def ended(call: Call) -> None:
    kept = call.beside.get("cache")
    if not isinstance(kept, Kept) or call.outcome != "answered":
        return
    if kept.hit is None and not _may_be_kept(call, kept):
        kept.said = None
    answers.note(call, kept)
    if kept.hit is not None and kept.hit.what != "stale":
        checking.begin(call, kept.hit)


def may_be_reused(call: Call) -> bool:
    ask, settings = call.ask, CacheSettings.load()
    if settings.answers == "off" or not ask.reusable or call.masked or call.hidden:
        return False
    if ask.tools and not settings.beside_tools:
        return False
    if any(one.calls or one.result_of for one in ask.messages):
        return False
    return call.person.impersonation is None and _is_on(call)


def _is_on(call: Call) -> bool:
    switch, person = state.flag(SWITCH), call.person
    return switch is None or switch.is_on_for(
        person.organization_id, person.role, str(person.user_id)
    )


async def _around(call: Call, proceed: Proceed) -> Events:
    kept = Kept(of(call))
    call.beside["cache"] = kept
    hit = await answers.find(call, kept)
    if hit is None and kept.keys.scope and CacheSettings.load().answers == "similar":
        hit = await answers.find_similar(call, kept)
    if hit is not None:
        for event in _given(call, kept, hit):
            yield event
        return
    said: list[str] = []
    async for event in _or_stale(call, kept, proceed):
        if isinstance(event, Delta):
            said.append(event.text)
        else:
            text = "".join(said)
            # Whoever asks next is not told of the people in it.
            if not await chain.masks(text):
                kept.finish, kept.said = event, text
        yield event


async def _or_stale(call: Call, kept: Kept, proceed: Proceed) -> Events:
    """When nobody begins to answer, what was answered some time ago will do, and is marked."""
    events = proceed(call)
    try:
        first = await anext(events, None)
    except (ModelUnavailable, ModelMisconfigured) as problem:
        hit = await answers.find(call, kept, stale=True)
        if hit is None:
            raise
        if call.sent and billed(problem):
            call.lost.append(call.routed)
        call.sent = False
        for event in _given(call, kept, hit):
            yield event
        return
    if first is not None:
        yield first
        async for event in events:
            yield event


def _given(call: Call, kept: Kept, hit: Hit) -> Iterator[Delta | Finish]:
    kept.hit, call.reused = hit, True
    # To a question that somebody else has worded.
    call.tainted |= hit.what == "similar"
    call.notes["cache"] = {"what": hit.what, "minutes": int(hit.seconds // 60)}
    yield Delta(hit.text)
    yield hit.finish


def _may_be_kept(call: Call, kept: Kept) -> bool:
    finish, said = kept.finish, kept.said
    confidence = call.notes.get("confidence") or {}
    return (
        finish is not None
        and bool(said)
        and len(said or "") <= CacheSettings.load().longest_characters
        and finish.reason == WHOLE
        and not finish.calls
        # Another model than the one that was wanted, or words that had to be taken out.
        and not call.notes.keys() & {"fallback", "smaller", "output_guards", "structure"}
        # An answer that says that it does not know may know more tomorrow.
        and confidence.get("score", 100) >= LEAST_CONFIDENCE
    )
