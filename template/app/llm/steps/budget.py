"""Tokens and money are set aside before the call; after it, what was used is booked."""

from collections.abc import Iterable
from dataclasses import replace

from app.core.direct import Direct
from app.core.errors import Problem
from app.core.logging import log
from app.llm.call import Call
from app.llm.errors import billed
from app.llm.port import BYTES_PER_TOKEN, Provider, Usage, asked_tokens
from app.llm.settings import LLMSettings
from app.usage import service
from app.usage.prices import price_of
from app.usage.service import Reservation, Used

# Time to settle, also while the database is away for a moment.
SETTLING_SECONDS = 300
# No tokenizer makes tokens longer than this out of a text; who tells fewer tokens errs or lies.
MOST_BYTES_PER_TOKEN = 24
# Providers add instructions of their own to what is sent.
MOST_ADDED_TOKENS = 4096


async def before(call: Call) -> None:
    provider = call.routed
    tokens, microdollars, known = most(call, (call.routed, call.second, call.smaller))
    # Noted first: who is cancelled while the database works does not learn that it was done.
    call.reservation = Reservation(
        call.id,
        call.person.organization_id,
        call.person.account,
        call.ask.feature,
        provider.name,
        tokens=tokens,
        microdollars=microdollars,
        prompt=by.name if (by := call.ask.prompt) else "",
        prompt_version=by.version if by else None,
    )
    await service.reserve(
        call.reservation,
        model=provider.model,
        price_known=known,
        seconds=LLMSettings.load().deadline_seconds + SETTLING_SECONDS,
    )


async def after(call: Call, db: Direct) -> None:
    first = call.first_text_at
    waited = None if first is None else call.milliseconds(first)
    call.used = replace(_with_lost(call, used(call)), first_text_ms=waited)
    if call.reservation is not None:
        booked = replace(call.reservation, provider=call.routed.name)
        outcome = "reused" if call.reused and call.outcome == "answered" else call.outcome
        await service.settle(db, booked, call.used, outcome)


def most(call: Call, asked: Iterable[Provider | None]) -> tuple[int, int, bool]:
    """Tokens and money that they may take at most, asked in turn; whether the prices are known.

    A provider that fails may bill the question, and then another one answers it.
    """
    longest = call.ask.max_output_tokens or 0
    tokens, lost, dearest, known = longest, 0, 0, True
    for provider in asked:
        if provider is None:
            continue
        given = asked_tokens(provider, call.ask)
        price = price_of(provider.price_list, provider.model, day=call.day)
        dearest = max(dearest, lost + price.cost(given, longest))
        lost += price.cost(given, 0)
        tokens, known = tokens + given, known and price.known
    return tokens, dearest, known


def _with_lost(call: Call, found: Used) -> Used:
    """With the questions that were taken and not answered."""
    for provider in call.lost:
        asked = asked_tokens(provider, call.ask)
        price = price_of(provider.price_list, provider.model, day=call.day)
        found = replace(
            found,
            input_tokens=found.input_tokens + asked,
            microdollars=found.microdollars + price.cost(asked, 0),
            estimated=True,
            price_known=found.price_known and price.known,
        )
    return found


def used(call: Call) -> Used:
    """What its last provider used, by what it told or by our own count."""
    provider = call.provider
    if provider is None or not call.sent or not _billed(call):
        return Used(provider.model if provider else "")
    model = call.finish.model if call.finish else provider.model
    usage = _believed(call, call.finish.usage if call.finish else None)
    price = price_of(provider.price_list, model, provider.model, day=call.day)
    return Used(
        model=model,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        microdollars=price.cost(usage.input_tokens, usage.output_tokens, usage.cached_input_tokens),
        estimated=usage.estimated,
        price_known=price.known,
    )


def _billed(call: Call) -> bool:
    return billed(call.problem if isinstance(call.problem, Problem) else None)


def _believed(call: Call, told: Usage | None) -> Usage:
    """What the provider told as far as it can be, or our own count."""
    asked = asked_tokens(call.routed, call.ask)
    counted = Usage(asked, -(-call.received_bytes // BYTES_PER_TOKEN), estimated=True)
    if told is None:
        return counted
    most_out = max(call.ask.max_output_tokens or 0, counted.output_tokens)
    most_in = asked * BYTES_PER_TOKEN + MOST_ADDED_TOKENS
    too_few = (
        told.output_tokens * MOST_BYTES_PER_TOKEN < call.received_bytes
        or told.input_tokens * MOST_BYTES_PER_TOKEN < asked
    )
    if too_few or told.output_tokens > most_out or told.input_tokens > most_in:
        log.warning(
            "llm.implausible_usage",
            provider=call.routed.name,
            input_tokens=told.input_tokens,
            output_tokens=told.output_tokens,
        )
        return counted
    return told
