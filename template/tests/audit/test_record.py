import asyncio
from uuid import UUID

import pytest
from sqlalchemy import select

from app.audit import service
from app.audit.models import Event
from app.core.db import transaction
from app.core.ids import uuid7
from app.core.logging import client_address, request_id

pytestmark = pytest.mark.usefixtures("app")


async def events_of(organization_id: UUID) -> list[Event]:
    async with transaction(organization_id=organization_id) as db:
        return list(await db.scalars(select(Event).order_by(Event.sequence)))


@pytest.mark.asvs("16.2.1")
async def test_an_event_says_who_did_what(organization_id):
    someone, target = uuid7(), uuid7()

    async with transaction(organization_id=organization_id) as db:
        await service.record(
            db,
            "user.role_changed",
            organization_id=organization_id,
            user_id=someone,
            target=target,
            detail={"role": "admin"},
        )

    (event,) = await events_of(organization_id)
    assert (event.sequence, event.action, event.user_id) == (1, "user.role_changed", someone)
    assert (event.target, event.detail) == (str(target), {"role": "admin"})


@pytest.mark.asvs("2.3.3")
async def test_an_event_is_gone_when_its_transaction_rolls_back(organization_id, verified):
    async def fail() -> None:
        async with transaction(organization_id=organization_id) as db:
            await service.record(db, "test.happened", organization_id=organization_id)
            raise RuntimeError("the rest failed")

    with pytest.raises(RuntimeError):
        await fail()

    assert await events_of(organization_id) == []
    assert (await verified(organization_id)).sound


async def test_a_rollback_leaves_no_gap(five_events, verified):
    db_gone = transaction(organization_id=five_events)
    db = await db_gone.__aenter__()
    await service.record(db, "test.happened", organization_id=five_events)
    await db.rollback()
    await db_gone.__aexit__(RuntimeError, RuntimeError("rolled back"), None)

    async with transaction(organization_id=five_events) as db:
        await service.record(db, "test.happened", organization_id=five_events)

    assert [event.sequence for event in await events_of(five_events)] == [1, 2, 3, 4, 5, 6]
    assert (await verified(five_events)).sound


async def test_twenty_appends_at_once_keep_one_unbroken_chain(organization_id, verified):
    async def append() -> None:
        async with transaction(organization_id=organization_id) as db:
            await service.record(db, "test.happened", organization_id=organization_id)
            await asyncio.sleep(0.005)

    await asyncio.gather(*(append() for _ in range(20)))

    events = await events_of(organization_id)
    assert [event.sequence for event in events] == list(range(1, 21))
    assert [event.created_at for event in events] == sorted(event.created_at for event in events)
    report = await verified(organization_id)
    assert (report.events, report.findings) == (20, [])


@pytest.mark.asvs("16.2.1")
async def test_the_request_and_the_network_come_along(organization_id):
    tokens = request_id.set("0123456789abcdef"), client_address.set("203.0.113.77")
    async with transaction(organization_id=organization_id) as db:
        await service.record(db, "test.happened", organization_id=organization_id)
    request_id.reset(tokens[0])
    client_address.reset(tokens[1])

    (event,) = await events_of(organization_id)
    assert (event.request_id, event.network) == ("0123456789abcdef", "203.0.113.0/24")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("unix", None),
        ("", None),
        (None, None),
    ],
)
async def test_addresses_lose_the_part_that_points_to_one_person(address, network):
    assert service.network_of(address) == network


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"action": "Something happened"}, ValueError),
        ({"action": "happened"}, ValueError),
        ({"detail": {"text": "x" * 2048}}, ValueError),
        ({"detail": {"share": 0.5}}, TypeError),
        ({"detail": {"who": object()}}, TypeError),
        ({"target": "x" * 201}, ValueError),
    ],
)
async def test_what_does_not_belong_in_the_log_is_refused(organization_id, values, error):
    async with transaction(organization_id=organization_id) as db:
        with pytest.raises(error):
            await service.record(
                db, **{"action": "test.happened", "organization_id": organization_id} | values
            )

    assert await events_of(organization_id) == []


async def test_the_platform_has_a_chain_of_its_own(action, verified):
    async with transaction() as db:
        await service.record(db, action)
    async with transaction(elevated=True) as db:
        page = await service.search(db, None, service.Filter(action=action))
    assert [event.organization_id for event in page.events] == [None]
    assert (await verified(None)).sound
