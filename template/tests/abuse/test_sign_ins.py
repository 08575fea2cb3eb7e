"""Stuffing and spraying, and that nothing of it is seen in what people do."""

import asyncio

import pytest
from sqlalchemy import text

from app.abuse import seeing
from app.abuse.settings import AbuseSettings
from app.core import db
from tests.abuse.conftest import (
    events,
    measures,
    nobody,
    right_password,
    rows,
    sightings,
    try_password,
)
from tests.conftest import new_client, new_network
from tests.factories import make_organization, make_user


def at(client, address):
    client._transport.client = (address, 1)
    return client


async def test_many_logins_failing_at_one_address_slow_it(client, limits):
    limits(ABUSE_LOGINS_PER_ADDRESS=5)
    statuses = [(await try_password(client)).status_code for _ in range(20)]
    # Five, and the ten that a slowed address may try.
    assert statuses == [401] * 15 + [429] * 5
    [seen] = [one for one in await sightings() if one["subject_kind"] == "address"]
    assert (seen["kind"], seen["subject"].endswith(".0/24")) == ("stuffing", True)


@pytest.mark.asvs("6.3.1", "2.4.1")
async def test_an_address_that_goes_on_is_suspended_for_a_while(client, limits):
    limits(ABUSE_LOGINS_PER_ADDRESS=2)
    for _ in range(8):
        assert (await try_password(client)).status_code == 401
    refused = await try_password(client)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/network-suspended")
    assert 0 < int(refused.headers["retry-after"]) <= 30 * 60 + 1
    assert "another network" in refused.json()["detail"]
    # The right password of someone who never was here does not help either.
    assert (await right_password(client, await make_user())).status_code == 429
    assert [one["measure"] for one in await measures() if one["subject_kind"] == "address"] == [
        "slow",
        "challenge",
        "suspend",
    ]


async def test_neither_reset_nor_tokens_are_a_way_round(client, limits):
    limits(ABUSE_LOGINS_PER_ADDRESS=2)
    for _ in range(8):
        await try_password(client)
    ada = await make_user()
    reset = await client.post("/api/auth/password-reset", json={"email": ada.email})
    token = await client.post(
        "/api/auth/token",
        json={"email": ada.email, "password": ada.password, "device_name": "A phone"},
    )
    assert [reset.json()["type"], token.json()["type"]] == ["/problems/network-suspended"] * 2


@pytest.mark.asvs("6.3.1")
async def test_who_was_here_before_still_signs_in(client, new_browser, limits):
    limits(ABUSE_LOGINS_PER_ADDRESS=2)
    admin = await make_user(role="admin")
    assert (await right_password(client, admin)).status_code == 200
    client.cookies.delete("__Host-session")
    async with new_browser() as stranger:
        at(stranger, client._transport.client[0])
        for _ in range(9):
            last = await try_password(stranger)
    assert last.json()["type"] == "/problems/network-suspended"
    # A known device, also after a slip; and it is no key to the accounts of others.
    assert (await try_password(client, admin.email)).status_code == 401
    assert (await right_password(client, admin)).status_code == 200
    client.cookies.delete("__Host-session")
    assert (await right_password(client, await make_user())).status_code == 429


async def test_who_is_signed_in_goes_on_in_a_suspended_network(client, new_browser, limits):
    limits(ABUSE_LOGINS_PER_ADDRESS=2)
    assert (await right_password(client, await make_user())).status_code == 200
    async with new_browser() as stranger:
        at(stranger, client._transport.client[0])
        for _ in range(9):
            await try_password(stranger)
    assert (await client.get("/api/me")).status_code == 200


async def test_one_login_tried_often_is_the_lockouts_business(client, limits):
    ada = await make_user()
    for _ in range(6):
        await try_password(client, ada.email)
    assert await sightings() == []


async def test_many_addresses_of_one_network_are_seen_together(app, limits):
    network = new_network()
    for last in range(1, 10):
        async with new_client(app) as client:
            at(client, f"{network}.{last}")
            await try_password(client)
    [seen] = await sightings()
    assert (seen["kind"], seen["subject_kind"], seen["subject"]) == (
        "stuffing",
        "network",
        f"{network}.0/24",
    )
    async with new_client(app) as neighbour:
        at(neighbour, f"{network}.200")
        statuses = [(await try_password(neighbour)).status_code for _ in range(11)]
        assert statuses[-1] == 429


async def test_spraying_is_seen_over_all_addresses(app, limits):
    limits(ABUSE_FAILURES_USUAL=6)
    for _ in range(6):
        async with new_client(app) as client:
            await try_password(client)
    [seen] = await sightings()
    assert (seen["kind"], seen["subject_kind"], seen["count"]) == ("spraying", "everyone", 6)
    assert [one["measure"] for one in await measures()] == ["challenge"]


async def test_what_is_usual_here_is_no_spraying(app, limits):
    """A firm with a rush every morning: the highest ten minutes of each day were four."""
    limits(ABUSE_FAILURES_USUAL=3)
    async with new_client(app) as client:
        await try_password(client)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text(
                "INSERT INTO abuse_tallies (id, organization_id, what, started_at, count)"
                " SELECT gen_random_uuid(), abuse_operator(:slug, :called), 'failures',"
                " date_trunc('day', now()) - day * interval '1 day' + interval '9 hours',"
                # One bad day does not raise what is usual.
                " CASE WHEN day = 3 THEN 5000 ELSE 4 END FROM generate_series(1, 10) day"
            ),
            seeing.operator(),
        )
    for _ in range(10):
        async with new_client(app) as client:
            await try_password(client)
    assert await sightings() == []
    async with new_client(app) as client:
        await try_password(client)
    [seen] = await sightings()
    assert (seen["count"], seen["usual"]) == (12, 4)


async def test_an_organisation_under_attack_is_told_of_its_own(app, limits):
    limits(ABUSE_FAILURES_USUAL=4)
    other = await make_organization()
    people = [await make_user(other) for _ in range(4)]
    for one in people:
        async with new_client(app) as client:
            await try_password(client, one.email)
    own = [one for one in await sightings() if one["organization_id"] == other.id]
    assert [(one["kind"], one["count"], one["measure"]) for one in own] == [("spraying", 4, None)]


async def test_what_is_seen_is_in_the_audit_log_once_and_in_the_log(client, limits):
    for _ in range(5):
        await try_password(client)
    found = [one for one in await events() if one["detail"]["of"] == "address"]
    newest = found[0]
    assert newest["detail"] == {"kind": "stuffing", "of": "address", "count": 3, "measure": "slow"}
    assert newest["network"] == newest["target"]
    assert seeing.SEEN["stuffing", "slow"] == 1


async def test_no_address_and_no_login_is_kept_in_the_clear(client, limits):
    login = nobody()
    for one in (login, nobody(), nobody()):
        await try_password(client, one)
    address = client._transport.client[0]
    for name in ("abuse_counters", "abuse_tallies", "abuse_sightings", "abuse_measures"):
        [dump] = await rows(f"SELECT string_agg(t::text, ' ') AS all FROM {name} t")
        text_of_it = dump["all"] or ""
        assert login not in text_of_it
        # Where it ends the network's own last part would be.
        assert address not in text_of_it or address.endswith(".0")


@pytest.mark.asvs("6.3.1")
async def test_a_class_of_thirty_at_one_address_sets_nothing_off(app, configure):
    """Nine o'clock, with the thresholds as they are delivered; eleven mistype it first."""
    for name in ("failures_usual", "sign_ups_usual"):
        configure(**{f"ABUSE_{name.upper()}": AbuseSettings.model_fields[name].default})
    group = await make_organization()
    address = f"{new_network()}.7"
    people = [await make_user(group) for _ in range(30)]

    async def arrive(number, someone):
        async with new_client(app) as client:
            at(client, address)
            if number % 3 == 0:
                assert (await try_password(client, someone.email)).status_code == 401
            if number == 7:
                assert (await try_password(client, "x" + someone.email)).status_code == 401
            return (await right_password(client, someone)).status_code

    found = await asyncio.gather(*(arrive(*one) for one in enumerate(people)))
    assert found == [200] * 30
    assert (await sightings(), await measures()) == ([], [])


async def test_a_sign_in_that_succeeds_counts_nothing(client):
    await right_password(client, await make_user())
    [counted] = await rows("SELECT count(*) AS n FROM abuse_counters")
    assert counted["n"] == 0
