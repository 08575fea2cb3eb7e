"""The file that departments are charged by."""

import csv
from collections import Counter
from dataclasses import replace
from io import StringIO
from uuid import UUID

import pytest
from sqlalchemy import delete, text

from app.core import db
from app.core.clock import now
from app.usage.chargeback import COLUMNS
from app.users.models import User
from tests.factories import make_organization, make_user, sign_in
from tests.usage.conftest import Till, person_of

FILE = "/api/usage/chargeback?month=2026-02"


@pytest.fixture
async def spent(app):
    """An administrator, and a member with a strange name who asked in February."""
    organization = await make_organization(name="=cmd()")
    admin = await make_user(organization, role="admin")
    member = await make_user(organization, display_name="@SUM(1+1)", password=False)
    for one, provider in ((member, "openai"), (member, "openai"), (admin, "+azure")):
        till = Till(person_of(one))
        await till.settle(await till.reserve(provider=provider), 40, 1_234_567, estimated=True)
    stranger = Till(person_of(await make_user(password=False)))
    await stranger.settle(await stranger.reserve(), 9, 9)
    for whose in (organization.id, stranger.person.organization_id):
        async with db.transaction(organization_id=whose) as session:
            await session.execute(text("UPDATE usage_records SET created_at = '2026-02-03T12:00Z'"))
    return admin, member


async def test_a_month_that_is_over_is_a_file_that_no_spreadsheet_computes(client, spent):
    admin, member = spent
    await sign_in(client, admin)
    answer = await client.get(FILE)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "chargeback-2026-02.csv" in answer.headers["content-disposition"]
    header, first, second = csv.reader(StringIO(answer.text))
    assert tuple(header) == COLUMNS
    lines = [dict(zip(header, cells, strict=True)) for cells in (first, second)]
    assert [one["provider"] for one in lines] == ["'+azure", "openai"]
    dear = lines[1]
    assert dear["organization"] == "'=cmd()"
    assert dear["person"] == "'@SUM(1+1)"
    assert dear["email"] == member.email
    assert (dear["calls"], dear["input_tokens"], dear["cost_usd"]) == ("2", "80", "2.469134")
    assert (dear["estimated_calls"], dear["calls_of_unknown_price"]) == ("2", "0")
    events = (await client.get("/api/audit", params={"action": "usage.exported"})).json()["events"]
    assert (events[0]["target"], events[0]["detail"]) == ("2026-02", {"lines": 2})


async def test_each_call_is_charged_to_the_cost_centre_of_its_day(client, spent):
    """Also after somebody moved to another one, left, or was never in any."""
    admin, member = spent
    await sign_in(client, admin, second_factor=True)

    async def asked(by: UUID, microdollars: int) -> None:
        till = Till(replace(person_of(admin), user_id=by))
        await till.settle(await till.reserve(), 10, microdollars)

    async def charge(to: str | None, **whose) -> None:
        wanted = whose if to is None else whose | {"cost_center": to}
        assert (await client.put("/api/usage/limits", json=wanted)).status_code == 204

    mine = {"user_id": str(member.user_id)}
    await asked(member.user_id, 1)
    await charge("Research 42", **mine, tokens_per_day=1000)
    await asked(member.user_id, 333_333)
    await charge(None, **mine)  # Budgets alone leave it as it is.
    await asked(member.user_id, 333_333)
    await charge(" =Overhead ")
    await asked(admin.user_id, 5)
    await asked(member.user_id, 333_335)
    await charge("Sales", **mine)
    await asked(member.user_id, 70)
    await charge("", **mine)
    await asked(member.user_id, 600)
    assert (await client.put("/api/usage/limits", json={"cost_center": "a\nb"})).status_code == 422

    found = (await client.get("/api/usage/organization")).json()["cost_centers"]
    sums = {one["cost_center"]: one["microdollars"] for one in found}
    assert sums == {"": 1, "=Overhead": 605, "Research 42": 1_000_001, "Sales": 70}

    async with db.transaction(elevated=True) as session:
        await session.execute(delete(User).where(User.id == member.user_id))
    async with db.transaction(organization_id=admin.organization_id) as session:
        moved = "UPDATE usage_records SET created_at = '2026-01-03T12:00Z' WHERE input_tokens = 10"
        await session.execute(text(moved))
    file = await client.get("/api/usage/chargeback?month=2026-01")
    costs: Counter[str] = Counter()
    for line in csv.DictReader(StringIO(file.text)):
        costs[line["cost_center"]] += round(1_000_000 * float(line["cost_usd"]))
    assert costs == {"": 1, "'=Overhead": 605, "Research 42": 1_000_001, "Sales": 70}
    january = {"since": "2026-01-01T00:00Z", "until": "2026-02-01T00:00Z"}
    whole = (await client.get("/api/usage/organization", params=january)).json()["features"]
    assert sum(one["microdollars"] for one in whole) == costs.total()


async def test_a_month_in_which_calls_may_still_be_booked_is_no_file(client, spent):
    admin, member = spent
    await sign_in(client, admin)
    till = Till(person_of(member))
    reservation = await till.reserve()
    month = f"{now():%Y-%m}"
    answer = await client.get(f"/api/usage/chargeback?month={month}")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/month-still-open")
    async with db.transaction(organization_id=admin.organization_id) as session:
        await session.execute(text("UPDATE usage_records SET created_at = '2026-02-03T12:00Z'"))
    assert "not settled yet" in (await client.get(FILE)).json()["detail"]
    await till.settle(reservation)
    assert (await client.get(FILE)).status_code == 200


async def test_only_who_sees_the_organisations_usage_gets_the_file(client, spent):
    await sign_in(client, await make_user(spent[0].organization_id))
    assert (await client.get(FILE)).status_code == 403
    assert (await client.get("/api/usage/latency")).status_code == 403
    assert (await client.get("/api/usage/prompts")).status_code == 403


async def test_how_long_answers_took_is_told_in_percentiles(client, spent):
    admin, _ = spent
    till = Till(person_of(admin))
    for milliseconds in (100, 200, 900):
        await till.settle(await till.reserve(), 10, 500_000, first_text_ms=milliseconds)
    await sign_in(client, admin)
    [found] = (await client.get("/api/usage/latency")).json()
    assert (found["model"], found["calls"], found["first_p50"]) == ("m", 3, 200)
    assert 0 < found["p50"] <= found["p95"] <= found["p99"]
