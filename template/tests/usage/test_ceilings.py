"""What an organisation may use at most: only those who run the app can raise it."""

import asyncio

import pytest
from sqlalchemy import delete, text

from app.core import db
from app.core.ids import uuid7
from app.usage import budgets, ceilings
from app.usage.service import BudgetSpent, CallsSpent, TokensSpent
from app.users.models import Organization
from tests.asking import browser_of as browser_of
from tests.asking import model as model
from tests.asking import text_of
from tests.conftest import new_client
from tests.factories import make_user, sign_in
from tests.llm.wire_server import WORDS
from tests.usage.conftest import MONTH, Till, give, limit, own_limits_above, person_of

API = "/api/usage/ceilings"

SETTINGS = {
    "calls_per_hour": ("USAGE_ORGANIZATION_CALLS_PER_HOUR", 1, CallsSpent),
    "calls_per_day": ("USAGE_ORGANIZATION_CALLS_PER_DAY", 1, CallsSpent),
    "tokens_per_hour": ("USAGE_ORGANIZATION_TOKENS_PER_HOUR", 150, TokensSpent),
    "tokens_per_day": ("USAGE_ORGANIZATION_TOKENS_PER_DAY", 150, TokensSpent),
    "microdollars_per_month": (MONTH, "0.0015", BudgetSpent),
}


# Over HTTP, from the question to the provider's socket.


async def test_an_administrator_cannot_pass_the_ceiling_and_who_runs_the_app_raises_it(
    app, client, operator, browser_of, model, configure
):
    configure(**{MONTH: "0.000001"})
    ada = await browser_of(await make_user(role="admin"))
    here = str(ada.someone.organization_id)
    conversation = await ada.new()

    async def refused() -> None:
        status, problem = await ada.refused(conversation, "What is it?")
        assert (status, problem["type"]) == (429, "/problems/budget-spent")
        assert (model.connections, model.bytes_received) == (0, 0)

    await refused()
    more = {"microdollars_per_month": 10_000_000}
    answer = await ada.client.put("/api/usage/limits", json=more)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/problems/above-ceiling"
    assert problem["errors"] == {
        "microdollars_per_month": "At most $0.000001. Only those who run this app can raise that."
    }
    # Nor by what those who run the app use: not for oneself, not with a key.
    assert (await ada.client.put(f"{API}/{here}", json=more)).status_code == 403
    closed = {"name": "All", "scopes": ["usage.ceiling"]}
    assert (await ada.client.post("/api/keys", json=closed)).status_code == 403
    made = await ada.client.post("/api/keys", json=closed | {"scopes": ["usage.limit"]})
    key = {"Authorization": f"Bearer {made.json()['secret']}"}
    async with new_client(app) as program:
        for path in ("/api/usage/limits", f"{API}/{here}"):
            assert (await program.put(path, json=more, headers=key)).status_code == 403
    await own_limits_above(Till(person_of(ada.someone)), **more)
    await refused()
    used = (await ada.client.get("/api/usage")).json()["allowances"]
    assert next(one["limit"] for one in used if one["period"] == "month") == 1

    assert (await client.put(f"{API}/{here}", json=more)).status_code == 204
    assert text_of(await ada.ask(conversation, "What is it?")) == "".join(WORDS)
    used = (await ada.client.get("/api/usage")).json()["allowances"]
    assert next(one["limit"] for one in used if one["period"] == "month") == 10_000_000

    sent = (model.connections, model.bytes_received)
    assert (
        await client.put(f"{API}/{here}", json={"microdollars_per_month": 0})
    ).status_code == 204
    status, _ = await ada.refused(conversation, "And now?")
    assert (status, (model.connections, model.bytes_received)) == (429, sent)


async def test_what_one_organisation_is_given_changes_nothing_for_another(
    client, operator, browser_of, model, configure
):
    configure(**{MONTH: 20})
    first, second = await browser_of(await make_user()), await browser_of(await make_user())
    address = f"{API}/{first.someone.organization_id}"
    assert (await client.put(address, json={"calls_per_hour": 0})).status_code == 204

    status, problem = await first.refused(await first.new(), "What is it?")
    assert (status, problem["type"]) == (429, "/problems/calls-spent")
    assert text_of(await second.ask(await second.new(), "What is it?")) == "".join(WORDS)
    await limit(person_of(second.someone), microdollars_per_month=20_000_000)


async def test_only_those_who_run_the_app_see_and_set_ceilings(client, app, operators):
    target = await make_user(role="admin", password=False)
    address = f"{API}/{target.organization_id}"
    members = [
        target,
        await make_user(role="admin", password=False),
        await make_user(operators, password=False),
        await make_user(operators, role="reviewer", password=False),
    ]
    for one in members:
        async with new_client(app) as theirs:
            await sign_in(theirs, one, second_factor=True)
            for path in (API, address):
                assert (await theirs.get(path)).status_code == 403
            assert (await theirs.put(address, json={"calls_per_day": 1})).status_code == 403
    async with db.transaction(elevated=True) as session:
        found = await ceilings.one(session, target.organization_id)
    assert set(found.given.values()) == {None}


async def test_a_ceiling_asks_for_a_fresh_proof_and_stands_in_both_logs(client, operator):
    tenant = await make_user(role="admin", password=False)
    address = f"{API}/{tenant.organization_id}"
    given = {"tokens_per_day": 7, "microdollars_per_month": 5_000_000}
    assert (await client.put(address, json=given)).status_code == 204
    old = "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u"
    async with db.transaction(elevated=True) as session:
        await session.execute(text(old), {"u": operator.user_id})
    answer = await client.put(address, json={})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/prove-it-again")

    for organization, user in (
        (operator.organization_id, operator.user_id),
        (tenant.organization_id, None),  # they do not learn by whom
    ):
        async with db.transaction(organization_id=organization) as session:
            row = (
                await session.execute(
                    text(
                        "SELECT user_id, target, detail FROM audit_events"
                        " WHERE action = 'usage.ceiling_set' ORDER BY sequence DESC LIMIT 1"
                    )
                )
            ).one()
        assert (row.user_id, row.target) == (user, str(tenant.organization_id))
        assert row.detail == budgets.complete(given)


async def test_operators_find_who_spent_most_and_what_bounds_it(client, operator, configure):
    configure(**{MONTH: 20})
    word = uuid7().hex[-8:]
    tills = []
    for cost in (1_000_000, 9_000_000, 5_000_000, 0):
        someone = await make_user(role="admin", password=False)
        async with db.transaction(elevated=True) as session:
            await session.execute(
                text("UPDATE organizations SET name = :name WHERE id = :id"),
                {"name": f"{word} {cost}", "id": someone.organization_id},
            )
        tills.append(Till(person_of(someone)))
        if cost:
            await tills[-1].settle(await tills[-1].reserve(), microdollars=cost)
    await tills[1].reserve(1, 3000)
    await limit(tills[1].person, microdollars_per_month=15_000_000)
    await give(tills[1].person.organization_id, microdollars_per_month=30_000_000)
    await give(tills[2].person.organization_id, calls_per_hour=9)

    seen, before = [], {}
    for _ in range(2):
        query = {"search": word, "limit": 2} | before
        found = (await client.get(API, params=query)).json()
        seen += found["organizations"]
        before = {"before": found["next"]}
    assert found["next"] is None
    assert [one["spent"] for one in seen] == [9_000_000, 5_000_000, 1_000_000, 0]
    first, second = seen[:2]
    month = [first[name]["microdollars_per_month"] for name in ("given", "ceilings", "own")]
    assert month == [30_000_000, 30_000_000, 15_000_000]
    assert (first["limits"]["microdollars_per_month"], first["held"]) == (15_000_000, 3000)
    assert second["ceilings"]["microdollars_per_month"] == 20_000_000
    assert (second["given"]["microdollars_per_month"], second["limits"]["calls_per_hour"]) == (
        None,
        9,
    )
    assert (await client.get(f"{API}/{first['id']}")).json() == first
    for missing in (
        await client.get(f"{API}/{uuid7()}"),
        await client.put(f"{API}/{uuid7()}", json={}),
    ):
        assert missing.status_code == 404


async def test_nobody_undoes_a_ceiling_that_was_given_meanwhile(client, operator):
    tenant = await make_user(password=False)
    address = f"{API}/{tenant.organization_id}"
    seen = (await client.get(address)).json()["seen"]
    await give(tenant.organization_id, microdollars_per_month=0)
    given = {"microdollars_per_month": 10**9, "seen": seen}
    assert (await client.put(address, json=given)).status_code == 409
    given["seen"] = (await client.get(address)).json()["seen"]
    assert (await client.put(address, json=given)).status_code == 204


async def test_administrators_read_what_they_set_and_what_binds_of_it(client, configure):
    configure(**{MONTH: 20}, USAGE_PERSON_TOKENS_PER_DAY=700)
    admin = await make_user(role="admin", password=False)
    await give(admin.organization_id, calls_per_hour=5)
    till, stranger = Till(person_of(admin)), await make_user(password=False)
    await own_limits_above(till, microdollars_per_month=50_000_000, tokens_per_hour=90)
    await limit(till.person, admin.user_id, calls_per_day=3, cost_center="Research")
    await sign_in(client, admin)

    async def read(**query) -> dict[str, dict[str, int]]:
        found = (await client.get("/api/usage/limits", params=query)).json()
        return {
            name: {one: amount for one, amount in amounts.items() if amount is not None}
            for name, amounts in found.items()
            if isinstance(amounts, dict)
        }

    ceiling = {"calls_per_hour": 5, "microdollars_per_month": 20_000_000}
    assert await read() == {
        "own": {"microdollars_per_month": 50_000_000, "tokens_per_hour": 90},
        "ceilings": ceiling,
        "limits": ceiling | {"tokens_per_hour": 90},
    }
    found = await read(user_id=str(admin.user_id))
    assert found["own"] == {"calls_per_day": 3}
    assert found["ceilings"] == ceiling
    assert (found["limits"]["calls_per_day"], found["limits"]["tokens_per_day"]) == (3, 700)
    answer = await client.get("/api/usage/limits", params={"user_id": str(stranger.user_id)})
    assert answer.status_code == 404


# The rule, in the statement that reserves.


@pytest.mark.parametrize("name", SETTINGS)
async def test_the_setting_binds_whatever_administrators_have_set(till, configure, name):
    setting, most, problem = SETTINGS[name]
    configure(**{setting: most})
    await own_limits_above(till, **{name: 10**9})
    await till.reserve(100, 1000)
    with pytest.raises(problem):
        await till.reserve(100, 1000)

    # Another ceiling, a higher one, and what the administrators set binds below it.
    await give(till.person.organization_id, **{name: 10**9})
    await till.reserve(100, 1000)
    await own_limits_above(till, **{name: 1})
    with pytest.raises(problem):
        await till.reserve(100, 1000)
    # And one of nothing.
    await own_limits_above(till, **{name: 10**9})
    await give(till.person.organization_id, **{name: 0})
    with pytest.raises(problem):
        await till.reserve(0, 0)


async def test_where_the_setting_is_empty_there_is_no_limit_until_a_ceiling_is_given(
    till, configure
):
    configure(**{MONTH: ""}, USAGE_PERSON_TOKENS_PER_HOUR="", USAGE_PERSON_TOKENS_PER_DAY="")
    await limit(till.person, microdollars_per_month=10**13)
    await till.reserve(10**12, 10**12)
    await give(till.person.organization_id, microdollars_per_month=10**12)
    with pytest.raises(BudgetSpent):
        await till.reserve(1, 1)
    with pytest.raises(budgets.AboveCeiling, match="more than the organisation may use"):
        await limit(till.person, microdollars_per_month=10**12 + 1)


async def test_people_may_have_budgets_above_the_ceiling_and_it_binds_all_the_same(till, configure):
    configure(**{MONTH: "0.0015"})
    await limit(till.person, till.person.user_id, microdollars_per_month=10**9)
    await till.reserve(1, 1000)
    with pytest.raises(BudgetSpent, match="organisation's budget"):
        await till.reserve(1, 1000)


async def test_what_the_administrators_set_before_stays_as_it_was(till, configure):
    configure(**{MONTH: 20})
    await limit(till.person, microdollars_per_month=15_000_000)
    with pytest.raises(budgets.AboveCeiling):
        await limit(till.person, microdollars_per_month=20_000_001)
    async with db.transaction(organization_id=till.person.organization_id) as session:
        kept = await budgets.own_limits(session, till.person.organization_id, None)
    assert kept.microdollars_per_month == 15_000_000


@pytest.mark.parametrize("first", ["limit", "ceiling"])
async def test_who_sets_a_limit_while_the_ceiling_falls_does_not_pass_it(till, configure, first):
    configure(**{MONTH: 20})
    here, amount = till.person.organization_id, {"microdollars_per_month": 20_000_000}
    if first == "limit":
        async with db.transaction(organization_id=here) as session:
            await budgets.set_limit(session, till.person, user_id=None, **amount)
            falls = asyncio.create_task(give(here, microdollars_per_month=1000))
            await asyncio.sleep(0.2)  # it waits for the other one
            assert not falls.done()
        await falls
    else:
        async with db.transaction(elevated=True) as session:
            await ceilings.give(session, here, {"microdollars_per_month": 1000})
            rises = asyncio.create_task(limit(till.person, **amount))
            await asyncio.sleep(0.2)
            assert not rises.done()
        with pytest.raises(budgets.AboveCeiling):
            await rises
    await till.reserve(1, 1000)
    with pytest.raises(BudgetSpent):
        await till.reserve(1, 1)


async def test_what_was_set_before_the_ceiling_fell_may_be_set_with_a_new_cost_centre(till):
    amount = {"microdollars_per_month": 20_000_000}
    await limit(till.person, **amount)
    await give(till.person.organization_id, microdollars_per_month=1000)
    await limit(till.person, cost_center="Sales", **amount)
    with pytest.raises(budgets.AboveCeiling):
        await limit(till.person, microdollars_per_month=19_000_000)
    await till.reserve(1, 1000)
    with pytest.raises(BudgetSpent):
        await till.reserve(1, 1)


async def test_an_organization_that_is_deleted_meanwhile_gets_no_ceiling_and_the_answer_says_so(
    till,
):
    here = till.person.organization_id
    async with db.transaction(elevated=True) as session:
        await session.execute(delete(Organization).where(Organization.id == here))
        given = asyncio.create_task(give(here, microdollars_per_month=1000))
        await asyncio.sleep(0.2)  # it waits for the other one
        assert not given.done()
    with pytest.raises(ceilings.NoSuchOrganization):
        await given
