"""A training is paid for from the budget of the month, and its row stays while it is under way."""

from datetime import timedelta
from unittest.mock import AsyncMock
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core import db
from app.core.clock import now
from app.core.outbound import OutboundFailed
from app.flags.state import kept
from app.monitoring import costs, deciding, jobs, retraining
from app.monitoring.models import Decision
from app.usage.models import UsageCounter, UsageRecord
from tests.monitoring.test_retraining import (
    TUNED,
    Provider,
    correct,
    decision_of,
    mails_about,
    prompt,
    provider,
    seeded,
)

__all__ = ["prompt", "provider", "seeded"]


async def decided(client, operator, prompt) -> str:
    name, rule = prompt
    await correct(operator.organization_id, name, 30)
    await deciding.decide()
    return (await decision_of(client, rule))["id"]


async def start(client, decision: str) -> None:
    answer = await client.post(f"/api/monitoring/decisions/{decision}/start")
    assert answer.status_code == 202, answer.text
    await jobs.begin(UUID(decision))


async def record(operator, decision: str) -> UsageRecord | None:
    async with db.transaction(organization_id=operator.organization_id) as session:
        return await session.get(UsageRecord, UUID(decision))


async def held(operator) -> int:
    """Money of the month that is set aside."""
    async with db.transaction(organization_id=operator.organization_id) as session:
        rows = await session.scalars(select(UsageCounter).where(UsageCounter.period == "month"))
        return sum(one.reserved_microdollars for one in rows if one.user_id is None)


async def test_no_budget_no_byte_and_what_was_trained_is_booked(
    client, operator, prompt, provider: Provider, configure, model
):
    _, rule = prompt
    decision = await decided(client, operator, prompt)
    configure(USAGE_ORGANIZATION_DOLLARS_PER_MONTH="0")
    await start(client, decision)
    one = await decision_of(client, rule)
    assert (one["state"], "budget" in one["why"]) == ("decided", True)
    assert (provider.files, provider.jobs) == ({}, {})
    assert await record(operator, decision) is None

    configure(USAGE_ORGANIZATION_DOLLARS_PER_MONTH="")
    before = await held(operator)
    await start(client, decision)
    found = await record(operator, decision)
    assert (found.state, found.feature) == ("reserved", costs.FEATURE)
    assert await held(operator) == before + found.reserved_microdollars
    [job] = provider.jobs.values()
    job |= {"status": "succeeded", "fine_tuned_model": TUNED, "trained_tokens": 1000}
    await jobs.follow()
    await jobs.follow()
    found = await record(operator, decision)
    assert (found.state, found.microdollars) == ("settled", costs._price().cost(1000, 0))
    assert 0 < found.microdollars < found.reserved_microdollars
    assert (found.input_tokens, found.user_id) == (0, None)
    assert await held(operator) == before


async def test_switched_off_nothing_is_sent_and_the_decision_waits(
    client, operator, prompt, provider: Provider
):
    _, rule = prompt
    decision = await decided(client, operator, prompt)
    for switch in ("model.monitoring.training", "model.all"):
        for enabled in (False, True):
            wanted = {"enabled": enabled, "reason": "No words leave this house."}
            assert (await client.put(f"/api/flags/{switch}", json=wanted)).status_code == 204
            await kept.refresh()
            if not enabled:
                await start(client, decision)
                one = await decision_of(client, rule)
                assert (one["state"], "switched off" in one["why"]) == ("decided", True)
                assert (provider.files, provider.jobs) == ({}, {})
                assert await record(operator, decision) is None
    await start(client, decision)
    [job] = provider.jobs.values()
    job["status"] = "failed"
    await jobs.follow()  # Nothing stays set aside for the tests behind.


async def test_what_is_not_trained_costs_nothing(client, operator, prompt, provider: Provider):
    before = await held(operator)
    decision = await decided(client, operator, prompt)
    await start(client, decision)
    [job] = provider.jobs.values()
    job |= {"status": "failed", "error": {"message": "No."}}
    await jobs.follow()
    found = await record(operator, decision)
    assert (found.state, found.microdollars) == ("released", 0)
    # What an earlier one held may be given back by the same look.
    assert await held(operator) <= before


async def test_a_row_that_is_old_is_not_forgotten_while_it_is_under_way(
    client, operator, prompt, provider: Provider
):
    """A rule has one row from night to night, until it fires: it may be years old by then."""
    _, rule = prompt
    decision = await decided(client, operator, prompt)
    await start(client, decision)
    for state, is_there in (("running", True), ("failed", True), ("gone", False)):
        async with db.transaction(elevated=True) as session:
            one = await session.get_one(Decision, UUID(decision))
            one.created_at = now() - timedelta(days=4000)
            one.looked_at = now() - timedelta(days=4000 if state != "failed" else 1)
            one.state = "running" if state == "running" else "failed"
        await jobs.forget()
        assert (await decision_of(client, rule) is not None) == is_there, state


async def lost(client, operator, prompt, provider) -> str:
    """A decision whose start was lost on its last try; the provider trains."""
    decision = await decided(client, operator, prompt)
    provider.loses_answers = True
    with pytest.raises(OutboundFailed):
        await start(client, decision)
    return decision


async def test_a_start_that_was_lost_on_its_last_try_is_found_and_paid(
    client, operator, prompt, provider: Provider, model
):
    _, rule = prompt
    before = await held(operator)
    decision = await lost(client, operator, prompt, provider)
    one = await decision_of(client, rule)
    assert (one["state"], one["why"]) == ("running", retraining.UNKNOWN)
    assert await held(operator) > before
    assert any(retraining.UNKNOWN in mail.body for mail in await mails_about(rule, operator))

    provider.hides_jobs = 503
    await jobs.follow()
    provider.hides_jobs = 403
    await jobs.follow()
    assert (await decision_of(client, rule))["state"] == "running"
    assert await held(operator) > before
    provider.hides_jobs = 0
    await jobs.follow()
    assert (await decision_of(client, rule))["why"] == ""
    [job] = provider.jobs.values()
    job |= {"status": "failed", "trained_tokens": 1000}
    await jobs.follow()
    found = await record(operator, decision)
    assert (found.state, found.microdollars) == ("settled", costs._price().cost(1000, 0))
    assert await held(operator) == before
    assert len(await mails_about(rule, operator)) == 2  # That nobody knows, once, and how it ended.


async def test_a_start_that_never_reached_the_provider_costs_nothing(
    client, operator, prompt, provider: Provider
):
    _, rule = prompt
    before = await held(operator)
    decision = await decided(client, operator, prompt)
    provider.failures = 1
    with pytest.raises(OutboundFailed):
        await start(client, decision)
    await jobs.follow()
    assert (await decision_of(client, rule))["state"] == "running"  # It may be on its way.
    await earlier(decision, retraining.ON_ITS_WAY)
    await jobs.follow()
    one = await decision_of(client, rule)
    assert (one["state"], "has not started" in one["why"]) == ("failed", True)
    assert (await record(operator, decision)).state == "released"
    assert await held(operator) == before
    assert sorted(provider.removed) == sorted(provider.files)


async def test_what_nobody_ever_learns_is_booked_in_full(
    client, operator, prompt, provider: Provider
):
    _, rule = prompt
    decision = await lost(client, operator, prompt, provider)
    provider.hides_jobs = 403
    await earlier(decision, costs.LONGEST)
    await jobs.follow()
    assert (await decision_of(client, rule))["state"] == "failed"
    found = await record(operator, decision)
    assert (found.state, found.microdollars) == ("settled", found.reserved_microdollars)


async def test_a_start_whose_worker_was_killed_on_its_last_try_ends(
    client, operator, prompt, provider: Provider, monkeypatch
):
    """Nobody has said that it was the last one."""
    _, rule = prompt
    before = await held(operator)
    decision = await decided(client, operator, prompt)
    with monkeypatch.context() as killed:
        killed.setattr(retraining, "give_up", AsyncMock())
        provider.failures = 1
        with pytest.raises(OutboundFailed):
            await start(client, decision)
    await jobs.follow()
    assert (await decision_of(client, rule))["why"] == ""  # It may still be tried.
    await earlier(decision, retraining.STARTING)
    await jobs.follow()
    assert (await decision_of(client, rule))["state"] == "failed"
    assert await held(operator) == before


async def earlier(decision: str, ago: timedelta) -> None:
    async with db.transaction(elevated=True) as session:
        one = await session.get_one(Decision, UUID(decision))
        one.asked_at, one.looked_at = one.asked_at - ago, one.looked_at - ago
