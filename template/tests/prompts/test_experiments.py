"""A/B tests: who gets what, what is counted, and how it ends."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from app.core import db
from app.core.direct import direct
from app.core.ids import uuid7
from app.feedback import service as feedback
from app.prompts import registry
from app.prompts.experiments import Arm, ReadOut
from app.prompts.registry import Experiment, Version
from app.prompts.statistics import difference, p_value, sample_needed
from app.usage import service as usage
from app.usage.service import Reservation, Used
from tests.factories import make_organization, make_user
from tests.prompts.test_registry import label, until, write
from tests.usage.conftest import person_of

CANDIDATE = Version(uuid7(), 2, "x", ())
PLAN = {"version": 2, "percent": 50, "hypothesis": "More thumbs up.", "reason": "For a test."}


async def start(client, name, **more):
    return await client.post(f"/api/prompts/{name}/experiments", json=PLAN | more)


async def answered(organization, name, number, *ratings):
    """A person who got an answer of this version for each of these thumbs, the last one last."""
    someone = await make_user(organization, password=False)
    person = person_of(someone)
    for rating in ratings:
        call = Reservation(
            uuid7(), person.organization_id, person.user_id, "test", "p", 9, 9, name, number
        )
        await usage.reserve(call, model="m", price_known=True, seconds=60)
        async with direct() as written:
            await usage.settle(written, call, Used("m", 5, microdollars=5), "answered")
        if rating:
            async with db.transaction(
                organization_id=person.organization_id, user_id=person.user_id
            ) as session:
                await feedback.give(session, person, call.call_id, rating)


async def test_a_person_keeps_what_chance_gave_them(app):
    people = [person_of(await make_user(password=False)) for _ in range(3)]
    experiment, other = (Experiment(uuid7(), 30, CANDIDATE) for _ in range(2))
    for person in people:
        assert len({experiment.takes(person) for _ in range(5)}) == 1
    many = [replace(people[0], user_id=uuid7()) for _ in range(4000)]
    taken = [experiment.takes(person) for person in many]
    assert 0.26 < sum(taken) / len(many) < 0.34
    # Another experiment draws anew: nobody is always the one who is experimented on.
    both = sum(a and other.takes(person) for a, person in zip(taken, many, strict=True))
    assert 0.05 < both / len(many) < 0.14


async def test_people_are_divided_read_out_and_brought_back(client, operator, seeded):
    name = await seeded("First. {{today}}")
    await write(client, name)
    assert (await start(client, name, percent=100)).status_code == 422
    assert (await start(client, name, version=1)).json()["type"] == "/problems/nothing-to-compare"
    refused = await start(client, name, reason="")
    assert refused.json()["type"] == "/problems/gate-not-passed"
    made = await start(client, name)
    assert made.status_code == 201
    address = f"/api/prompts/experiments/{made.json()['id']}"
    assert (await start(client, name)).json()["type"] == "/problems/already-running"

    # Shown by the version that each of many people is answered with.
    await until(lambda: name in registry.kept.known.experiments)
    base = person_of(operator)
    got = {
        registry.use(name, replace(base, user_id=uuid7()), today="x").used.version
        for _ in range(40)
    }
    assert got == {1, 2}

    one, other = await make_organization(), await make_organization()
    await answered(one, name, 1, "up", "down")  # Counts once, as down.
    await answered(other, name, 1, "up")
    await answered(other, name, 2, "up", None, "up")
    await answered(one, name, 2, None)
    await answered(one, name, 3, "down")
    told = (await client.get(address)).json()
    assert {key: told["control"][key] for key in ("people", "calls", "raters", "ups")} == {
        "people": 2,
        "calls": 3,
        "raters": 2,
        "ups": 1,
    }
    assert {key: told["candidate"][key] for key in ("people", "calls", "raters", "ups")} == {
        "people": 2,
        "calls": 4,
        "raters": 1,
        "ups": 1,
    }
    assert told["change"]["low"] < 0 < told["change"]["high"]
    assert told["is_enough"] is False
    assert told["sentence"].startswith(f"Too early: 1 people of the {told['needed']}")
    assert told["needed"] > 300

    ended = await client.post(f"{address}/end", json={"reason": "It swears."})
    assert ended.status_code == 204
    await until(lambda: name not in registry.kept.known.experiments)
    assert registry.use(name, base, today="x").used.version == 1
    found = (await client.get(f"/api/prompts/{name}/experiments")).json()
    assert [(one["ended_because"], bool(one["ended_at"])) for one in found] == [
        ("It swears.", True)
    ]


async def test_a_release_ends_what_was_compared_with_the_version_before(client, operator, seeded):
    name = await seeded("First. {{today}}")
    await write(client, name)
    await write(client, name, "Third. {{today}}")
    assert (await start(client, name)).status_code == 201
    assert (await label(client, name, 3)).status_code == 200
    [one] = (await client.get(f"/api/prompts/{name}/experiments")).json()
    assert one["ended_because"] == "Another version went live."
    missing = await client.get(f"/api/prompts/experiments/{uuid7()}")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("a", "b", "begins"),
    [
        ((200, 400), (260, 400), "The candidate is rated better."),
        ((260, 400), (200, 400), "The candidate is rated worse."),
        ((200, 400), (205, 400), "No difference was shown."),
        ((20, 40), (40, 40), "Too early: 40 people"),
    ],
)
def test_what_the_numbers_mean_is_said_in_a_sentence(a, b, begins):
    read = ReadOut(
        experiment=None,
        control=Arm(1, 0, 0, 0, a[1], a[0]),
        candidate=Arm(2, 0, 0, 0, b[1], b[0]),
        change=difference(*a, *b),
        p=p_value(*a, *b),
        needed=sample_needed(0.5, 0.1),
    )
    assert read.sentence.startswith(begins)


async def test_an_experiment_compares_with_what_a_release_beside_it_makes_live(
    client, operator, seeded
):
    name = await seeded("Be kind. {{today}}")
    await write(client, name)
    await write(client, name, "Be short. {{today}}")
    async with direct() as holding:
        # The release has moved its label, and waits with the cache before its commit.
        await holding.fetch("SELECT pg_advisory_xact_lock_shared(8086, 0)", {})
        releasing = asyncio.create_task(label(client, name, 3))
        await waiting(1)
        starting = asyncio.create_task(start(client, name))
        await waiting(2, unless=starting)
    released, started = await releasing, await starting
    assert (released.status_code, started.status_code) == (200, 201)
    found = await client.get(f"/api/prompts/experiments/{started.json()['id']}")
    assert found.json()["control"]["number"] == 3


async def waiting(transactions: int, unless: asyncio.Task | None = None) -> None:
    """Until so many wait for a lock of this test's database."""
    waits = (
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE NOT l.granted AND a.datname = current_database()"
    )
    async with asyncio.timeout(30):
        while not (unless and unless.done()):
            async with db.transaction(elevated=True) as session:
                if await session.scalar(text(waits)) >= transactions:
                    return
            await asyncio.sleep(0.01)
