from datetime import timedelta

import httpx2
import pytest

from app.core.clock import now
from tests.factories import Someone, make_user, sign_in
from tests.usage.conftest import Till, person_of


async def used(someone: Someone, tokens: int = 50, microdollars: int = 500) -> None:
    till = Till(person_of(someone))
    await till.settle(await till.reserve(), tokens, microdollars)


@pytest.fixture
async def admin(client: httpx2.AsyncClient) -> Someone:
    someone = await make_user(role="admin")
    await sign_in(client, someone)
    return someone


async def test_one_sees_what_one_used_and_what_is_left(client):
    ada = await make_user()
    await used(ada)
    await used(await make_user(ada.organization_id))
    await sign_in(client, ada)
    answer = (await client.get("/api/usage")).json()

    assert answer["features"] == [
        {
            "feature": "chat",
            "model": "m",
            "calls": 1,
            "input_tokens": 50,
            "output_tokens": 0,
            "microdollars": 500,
        }
    ]
    left = {(one["holder"], one["period"], one["unit"]): one for one in answer["allowances"]}
    assert left["person", "hour", "calls"]["used"] == 1
    assert left["person", "hour", "tokens"]["used"] == 50
    assert left["organization", "hour", "calls"]["used"] == 2
    assert left["organization", "hour", "tokens"]["used"] == 100
    assert left["organization", "month", "microdollars"]["used"] == 1000
    assert left["organization", "month", "microdollars"]["limit"] > 0


async def test_an_administrator_sees_who_used_what_for_what(client, admin):
    dear, cheap = await make_user(admin.organization_id), await make_user(admin.organization_id)
    await used(cheap, 10, 100)
    await used(dear, 20, 900)
    await used(await make_user(), 77, 7777)
    answer = (await client.get("/api/usage/organization")).json()

    assert [(one["user_id"], one["microdollars"]) for one in answer["people"]] == [
        (str(dear.user_id), 900),
        (str(cheap.user_id), 100),
    ]
    assert answer["people"][0]["display_name"] == "Ada Lovelace"
    assert [(one["feature"], one["calls"]) for one in answer["features"]] == [("chat", 2)]


async def test_a_member_sees_only_their_own(client):
    await sign_in(client, await make_user())

    assert (await client.get("/api/usage/organization")).status_code == 403


async def test_other_days_are_asked_for_by_time(client, admin):
    await used(admin)
    tomorrow = (now() + timedelta(days=1)).isoformat()
    later = (now() + timedelta(days=2)).isoformat()
    answer = await client.get("/api/usage", params={"since": tomorrow, "until": later})

    assert answer.json()["features"] == []


@pytest.mark.asvs("2.2.3")
async def test_the_end_does_not_come_before_the_beginning(client, admin):
    tomorrow = (now() + timedelta(days=1)).isoformat()

    assert (await client.get("/api/usage", params={"since": tomorrow})).status_code == 422


async def test_an_administrator_sets_a_budget_and_it_holds_at_once(client, admin):
    member = await make_user(admin.organization_id)
    wanted = {"user_id": str(member.user_id), "tokens_per_hour": 120}
    assert (await client.put("/api/usage/limits", json=wanted)).status_code == 204

    await used(member)
    with pytest.raises(Exception, match="for this hour"):
        await used(member)
    events = (await client.get("/api/audit", params={"action": "usage.limited"})).json()["events"]
    assert events[0]["detail"]["tokens_per_hour"] == 120
    assert events[0]["target"] == str(member.user_id)


async def test_nobody_sets_budgets_for_people_of_other_organisations(client, admin):
    wanted = {"user_id": str((await make_user()).user_id), "tokens_per_hour": 0}

    assert (await client.put("/api/usage/limits", json=wanted)).status_code == 404


@pytest.mark.parametrize("role", ["member", "reviewer"])
async def test_only_administrators_set_budgets(client, role):
    await sign_in(client, await make_user(role=role))

    assert (await client.put("/api/usage/limits", json={})).status_code == 403


async def test_a_budget_below_nothing_is_refused(client, admin):
    answer = await client.put("/api/usage/limits", json={"tokens_per_hour": -1})

    assert answer.status_code == 422
