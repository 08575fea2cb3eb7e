"""Tampering by who can do anything in the database."""

import asyncio
import json

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import select

from app.audit import chain, service, verification
from app.audit.jobs import anchor_heads
from app.audit.models import Anchor, Event
from app.audit.verification import verify
from app.core import crypto
from app.core.db import transaction
from app.core.ids import uuid7


async def anchor() -> list[Anchor]:
    async with transaction(elevated=True) as db:
        return await anchor_heads(db)


async def rewrite(tamper: psycopg.AsyncConnection, organization_id, number: int) -> None:
    """Change an event and recompute every hash from there on, and the head: a perfect forgery."""
    async with transaction(organization_id=organization_id) as db:
        events = list(await db.scalars(select(Event).order_by(Event.sequence)))
    previous = chain.START
    for event in events:
        if event.sequence == number:
            event.action = "test.harmless"
        event.previous_hash = previous
        previous = event.hash = chain.hash_of(event)
        await tamper.execute(
            "UPDATE audit_events SET action = %s, previous_hash = %s, hash = %s WHERE id = %s",
            [event.action, event.previous_hash, event.hash, event.id],
        )
    await tamper.execute(
        "UPDATE audit_heads SET hash = %s WHERE organization_id = %s", [previous, organization_id]
    )


async def test_an_untouched_chain_is_sound(five_events, verified):
    report = await verified(five_events)

    assert (report.events, report.findings, report.notes) == (5, [], [])


@pytest.mark.parametrize("at_once", [1, 2, 5])
async def test_a_chain_that_is_read_in_pieces_is_read_whole(
    five_events, tamper, verified, monkeypatch, at_once
):
    monkeypatch.setattr(verification, "AT_ONCE", at_once)
    report = await verified(five_events)
    assert (report.events, report.findings) == (5, [])

    await tamper.execute(
        "UPDATE audit_events SET target = 'x' WHERE organization_id = %s AND sequence = 5",
        [five_events],
    )
    assert len((await verified(five_events)).findings) == 1


async def test_a_second_event_of_a_number_is_read_where_a_piece_ends_too(
    five_events, tamper, verified, monkeypatch
):
    monkeypatch.setattr(verification, "AT_ONCE", 3)
    [index] = await (
        await tamper.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'uq_audit_events_chain'"
        )
    ).fetchone()
    await tamper.execute("DROP INDEX uq_audit_events_chain")
    try:
        await tamper.execute(
            "INSERT INTO audit_events SELECT (jsonb_populate_record(e, %s)).* FROM audit_events e"
            " WHERE organization_id = %s AND sequence = 3",
            [Jsonb({"id": str(uuid7())}), five_events],
        )
        assert (await verified(five_events)).findings
    finally:
        await tamper.execute("DELETE FROM audit_events WHERE organization_id = %s", [five_events])
        await tamper.execute(index)


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize(
    "change",
    [
        "action = 'test.harmless'",
        "user_id = gen_random_uuid()",
        "created_at = created_at - interval '1 microsecond'",
        "detail = '{\"number\": 4}'",
        "target = 'x'",
        "network = '203.0.113.0/24'",
        "request_id = 'x'",
        "session_id = gen_random_uuid()",
        "id = gen_random_uuid()",
    ],
)
async def test_a_changed_event_is_found(five_events, tamper, verified, change):
    await tamper.execute(
        f"UPDATE audit_events SET {change} WHERE organization_id = %s AND sequence = 3",  # type: ignore[arg-type]
        [five_events],
    )

    assert (await verified(five_events)).findings == ["Event 3 was changed."]


async def test_an_event_with_a_new_hash_does_not_fit_the_next(five_events, tamper, verified):
    async with transaction(organization_id=five_events) as db:
        event = await db.scalar(select(Event).where(Event.sequence == 3))
    event.action = "test.harmless"
    await tamper.execute(
        "UPDATE audit_events SET action = %s, hash = %s WHERE id = %s",
        [event.action, chain.hash_of(event), event.id],
    )

    findings = (await verified(five_events)).findings

    assert findings == ["Event 4 does not follow from the one before it."]


async def test_a_deleted_event_is_found(five_events, tamper, verified):
    await tamper.execute(
        "DELETE FROM audit_events WHERE organization_id = %s AND sequence IN (2, 3)", [five_events]
    )

    assert (await verified(five_events)).findings == ["Events 2 to 3 are missing."]


async def test_a_cut_tail_is_found(five_events, tamper, verified):
    await tamper.execute(
        "DELETE FROM audit_events WHERE organization_id = %s AND sequence = 5", [five_events]
    )

    assert (await verified(five_events)).findings == ["Event 5 is missing."]


async def test_a_head_set_back_is_found(five_events, tamper, verified):
    await tamper.execute(
        "UPDATE audit_heads SET sequence = 3 WHERE organization_id = %s", [five_events]
    )

    findings = (await verified(five_events)).findings

    assert "The head does not match event 3." in findings
    assert "The head was set back: there are events behind it." in findings


async def test_a_removed_head_is_found(five_events, tamper, verified):
    await tamper.execute("DELETE FROM audit_heads WHERE organization_id = %s", [five_events])

    assert (await verified(five_events)).findings == ["The head of the chain is gone."]


async def test_events_that_changed_places_are_found(five_events, tamper, verified):
    await tamper.execute(
        "UPDATE audit_events SET sequence = -sequence WHERE organization_id = %s", [five_events]
    )
    await tamper.execute(
        "UPDATE audit_events SET sequence = CASE sequence WHEN -2 THEN 3 WHEN -3 THEN 2"
        " ELSE -sequence END WHERE organization_id = %s",
        [five_events],
    )

    findings = (await verified(five_events)).findings

    assert "Event 2 was changed." in findings
    assert "Event 3 was changed." in findings


async def test_a_perfect_forgery_is_not_found_without_an_anchor(five_events, tamper, verified):
    """Why there are anchors."""
    await rewrite(tamper, five_events, 3)

    assert (await verified(five_events)).sound


async def test_a_perfect_forgery_is_found_by_the_anchor(five_events, tamper, verified):
    await anchor()
    await rewrite(tamper, five_events, 3)

    (finding,) = (await verified(five_events)).findings

    assert finding.startswith("The log up to event 5 was rewritten after")


async def test_a_chain_that_was_cut_with_its_head_is_found_by_the_anchor(
    five_events, tamper, verified
):
    await anchor()
    async with transaction(organization_id=five_events) as db:
        fourth = await db.scalar(select(Event).where(Event.sequence == 4))
    await tamper.execute(
        "DELETE FROM audit_events WHERE organization_id = %s AND sequence = 5", [five_events]
    )
    await tamper.execute(
        "UPDATE audit_heads SET sequence = 4, hash = %s WHERE organization_id = %s",
        [fourth.hash, five_events],
    )

    assert (await verified(five_events)).findings == ["Event 5 is missing."]


async def test_a_chain_that_is_gone_altogether_is_found_by_the_anchor(
    five_events, tamper, verified
):
    await anchor()
    for table in ("audit_events", "audit_heads"):
        await tamper.execute(
            f"DELETE FROM {table} WHERE organization_id = %s",  # type: ignore[arg-type]
            [five_events],
        )

    findings = (await verified(five_events)).findings

    assert findings == ["The head of the chain is gone.", "Events 1 to 5 are missing."]


async def test_an_anchor_cannot_be_forged_without_the_key(five_events, tamper, verified):
    await anchor()
    await rewrite(tamper, five_events, 3)
    await tamper.execute(
        "UPDATE audit_anchors a SET hash = h.hash FROM audit_heads h"
        " WHERE a.organization_id = h.organization_id AND a.organization_id = %s",
        [five_events],
    )

    findings = (await verified(five_events)).findings

    assert findings == ["The anchor at event 5 was not sealed by us."]


async def test_an_anchor_cannot_be_dated_back(five_events, tamper, verified):
    await anchor()
    await tamper.execute(
        "UPDATE audit_anchors SET created_at = created_at - interval '1 hour'"
        " WHERE organization_id = %s",
        [five_events],
    )

    assert not (await verified(five_events)).sound


async def test_an_anchor_of_another_chain_proves_nothing(five_events, tamper, verified):
    await anchor()
    await tamper.execute(
        "UPDATE audit_anchors SET organization_id = %s WHERE organization_id = %s",
        [other := uuid7(), five_events],
    )

    assert not (await verified(other)).sound


async def test_removed_anchors_leave_a_stretch_that_nothing_proves(five_events, tamper, verified):
    """As when all anchors are deleted, the chain is rewritten, and the next run anchors it."""
    await tamper.execute(
        "UPDATE audit_events SET created_at = created_at - interval '3 hours'"
        " WHERE organization_id = %s",
        [five_events],
    )
    await rewrite(tamper, five_events, 3)
    await anchor()

    report = await verified(five_events)

    assert report.sound
    (note,) = report.notes
    assert note.startswith("Events 1 to 5 are not anchored within 60 minutes: nothing proves")


async def test_the_copy_in_the_log_stream_is_found_out_when_the_row_is_gone(five_events, tamper):
    (kept,) = [one for one in await anchor() if one.organization_id == five_events]
    line = json.dumps(chain.told(kept))
    await tamper.execute("DELETE FROM audit_anchors WHERE organization_id = %s", [five_events])
    await rewrite(tamper, five_events, 3)

    async with transaction(elevated=True, organization_id=five_events) as db:
        report = await verify(db, five_events, [chain.heard(json.loads(line))])

    assert report.findings[0].startswith("The log up to event 5 was rewritten after")


async def test_only_heads_that_moved_are_anchored_again(five_events):
    first = {one.organization_id for one in await anchor()}
    second = {one.organization_id for one in await anchor()}
    async with transaction(organization_id=five_events) as db:
        await service.record(db, "test.happened", organization_id=five_events)
    third = {one.organization_id: one.sequence for one in await anchor()}

    assert five_events in first
    assert five_events not in second
    assert third[five_events] == 6


async def test_seals_outlive_a_change_of_keys(five_events, verified, configure):
    one, two = crypto.new_key(), crypto.new_key()
    configure(ENCRYPTION_KEYS=one)
    crypto._keyring.cache_clear()
    await anchor()
    configure(ENCRYPTION_KEYS=f"{two},{one}")
    crypto._keyring.cache_clear()

    report = await verified(five_events)
    configure(ENCRYPTION_KEYS="")
    crypto._keyring.cache_clear()

    assert report.sound


async def test_appends_while_it_is_verified_are_no_alarm(five_events, verified):
    async def append() -> None:
        for _ in range(60):
            async with transaction(organization_id=five_events) as db:
                await service.record(db, "test.happened", organization_id=five_events)

    appending = asyncio.create_task(append())
    reports = []
    while not appending.done():
        reports.append(await verified(five_events))
    await appending

    assert len({report.events for report in reports}) > 3
    assert [report.findings for report in reports] == [[]] * len(reports)
