import asyncio
import re

import httpx2
import pytest
from sqlalchemy import insert, text

from app.core import db
from app.core.clock import now
from app.core.errors import TooMany
from app.usage import budgets as rules
from app.usage import pages
from app.usage.models import UsageAnomaly
from app.usage.service import TokensSpent
from tests.factories import Someone, make_organization, make_user, sign_in
from tests.usage.conftest import Till, limit, person_of


async def spend(someone: Someone, tokens: int, microdollars: int, **more: str) -> None:
    till = Till(person_of(someone))
    await till.settle(await till.reserve(**more), tokens=tokens, microdollars=microdollars)


async def rows(client: httpx2.AsyncClient, path: str, caption: str) -> list[list[str]]:
    """The cells of the table with this caption."""
    page = (await client.get(path, headers={"Accept": "text/html"})).text
    table = next(
        found
        for found in re.findall(r"<table.*?</table>", page, re.DOTALL)
        if f"<caption>{caption}" in found
    )
    body = re.search(r"<tbody>(.*)</tbody>", table, re.DOTALL)[1]
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
        for row in re.findall(r"<tr>.*?</tr>", body, re.DOTALL)
    ]


@pytest.fixture
async def team(app) -> tuple[Someone, Someone]:
    """An administrator and a member of one organisation."""
    organization = await make_organization()
    admin = await make_user(organization, role="admin", display_name="Ada Lovelace")
    return admin, await make_user(organization, display_name="Grace Hopper")


async def test_one_sees_ones_own_calls_by_feature_and_model(client, team):
    admin, member = team
    await spend(member, 1500, 2_500_000, feature="assistant")
    await spend(member, 500, 500_000, feature="assistant")
    await spend(admin, 7, 7, feature="assistant")
    await sign_in(client, member)
    assert await rows(client, "/usage", "By feature and model") == [
        ["assistant", "m", "2", "2,000", "0", "$3.00"]
    ]


async def test_an_administrator_sees_who_used_what_the_dearest_first(client, team, monkeypatch):
    admin, member = team
    await spend(admin, 100, 1_000_000, feature="assistant")
    await spend(member, 200, 3_000_000, feature="assistant")
    await spend(member, 300, 2_000_000, feature="summary")
    await spend(await make_user(password=False), 400, 9_000_000, feature="assistant")
    await sign_in(client, admin)
    assert await rows(client, "/admin/usage", "By person and feature") == [
        ["Grace Hopper", "assistant", "1", "200", "0", "$3.00"],
        ["Grace Hopper", "summary", "1", "300", "0", "$2.00"],
        ["Ada Lovelace", "assistant", "1", "100", "0", "$1.00"],
    ]
    assert await rows(client, "/admin/usage", "By feature and model") == [
        ["assistant", "m", "2", "300", "0", "$4.00"],
        ["summary", "m", "1", "300", "0", "$2.00"],
    ]
    assert "dearest. Everyone" not in (await client.get("/admin/usage")).text
    monkeypatch.setattr(pages, "MOST_PEOPLE", 2)
    assert "These are the 2 dearest." in (await client.get("/admin/usage")).text
    assert len(await rows(client, "/admin/usage", "By person and feature")) == 2


async def test_the_page_says_what_is_left_of_each_budget(client, team):
    admin, member = team
    await limit(person_of(admin), tokens_per_hour=10_000, microdollars_per_month=50_000_000)
    await limit(person_of(admin), member.user_id, tokens_per_hour=4000)
    await spend(member, 1000, 12_500_000)
    await sign_in(client, member)
    own = (await client.get("/usage")).text
    assert "3k of 4k left" in own
    assert "$37.50 of $50.00 left" in own
    await sign_in(client, admin)
    assert "9k of 10k left" in (await client.get("/admin/usage")).text


async def test_days_without_calls_stand_in_the_chart_as_nothing(client, team):
    admin, _ = team
    await spend(admin, 90, 4_000_000)
    async with db.transaction(organization_id=admin.organization_id) as session:
        await session.execute(text("UPDATE usage_records SET created_at = '2026-02-03T12:00Z'"))
    await sign_in(client, admin)
    shown = await rows(client, "/admin/usage?month=2026-02", "Cost a day")
    assert len(shown) == 28
    assert shown[2] == ["3 Feb", "$4.00"]
    assert {cost for day, cost in shown if day != "3 Feb"} == {"$0.00"}
    assert (
        "Nobody asked a model in March 2026"
        in (await client.get("/admin/usage?month=2026-03")).text
    )


async def test_the_organisations_usage_is_for_administrators(client, team):
    _, member = team
    await sign_in(client, member)
    page = await client.get("/admin/usage", headers={"Accept": "text/html"})
    assert page.status_code == 403
    assert "/admin/usage" not in (await client.get("/usage")).text


@pytest.mark.parametrize("month", ["2026-13", "nonsense", "1999-01"])
async def test_a_month_that_is_none_is_refused(client, team, month):
    await sign_in(client, team[0])
    assert (await client.get("/usage", params={"month": month})).status_code == 422


async def test_before_anything_was_asked_the_page_says_so(client, team):
    await sign_in(client, team[1])
    assert "You asked no model in" in (await client.get("/usage")).text


async def budgets(client: httpx2.AsyncClient, **fields: str) -> httpx2.Response:
    return await client.post(
        "/admin/usage/budgets", data=fields, headers={"Accept": "text/html"}, follow_redirects=True
    )


async def test_an_administrator_sets_the_organisations_budget_and_it_holds_at_once(client, team):
    admin, member = team
    await sign_in(client, admin)
    page = await budgets(
        client, tokens_per_hour="150", dollars_per_month="0.5", cost_center="Research 42"
    )
    assert 'value="Research 42"' in page.text
    assert "The budgets hold from the next call on." in page.text
    assert re.search(
        r'name="tokens_per_hour"[^>]*value="150"|value="150"[^>]*tokens_per_hour', page.text
    )
    till = Till(person_of(member))
    await till.reserve(100, 100)
    with pytest.raises(TokensSpent):
        await till.reserve(100, 100)
    with pytest.raises(TooMany):
        await till.reserve(1, 500_000)
    # Fields left empty give back what the settings say.
    await budgets(client)
    await till.reserve(100, 500_000)


async def test_an_administrator_sets_the_budget_of_one_person(client, team):
    admin, member = team
    await sign_in(client, admin)
    page = await client.get(
        f"/admin/usage/budgets?of={member.user_id}", headers={"Accept": "text/html"}
    )
    assert "Budgets of Grace Hopper" in page.text
    await budgets(client, user_id=str(member.user_id), tokens_per_day="0")
    with pytest.raises(TokensSpent):
        await Till(person_of(member)).reserve(1, 1)
    await Till(person_of(admin)).reserve(1, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"tokens_per_hour": "-1"},
        {"tokens_per_hour": "many"},
        {"dollars_per_month": "-0.01"},
        {"dollars_per_month": "NaN"},
        {"dollars_per_month": "1e99"},
    ],
)
async def test_a_budget_that_is_none_is_told_at_its_field_and_changes_nothing(client, team, fields):
    admin, member = team
    await sign_in(client, admin)
    await budgets(client, tokens_per_hour="150")
    page = await budgets(client, **fields)
    assert page.status_code == 422
    assert "field-error" in page.text
    with pytest.raises(TokensSpent):
        await Till(person_of(member)).reserve(200, 1)


@pytest.mark.parametrize("first", [True, False])
async def test_nobody_undoes_what_was_set_after_the_page_was_opened(client, team, first):
    """Also where nothing was set before."""
    admin, member = team
    await sign_in(client, admin)
    if not first:
        await budgets(client, tokens_per_hour="5000")
    opened = (await client.get("/admin/usage/budgets", headers={"Accept": "text/html"})).text
    seen = re.search(r'name="seen" value="([^"]*)"', opened)[1]
    # Meanwhile somebody stops all calls.
    await limit(person_of(admin), tokens_per_hour=0)
    page = await budgets(client, tokens_per_hour="5000", cost_center="Research 42", seen=seen)
    assert page.status_code == 409
    assert "meanwhile" in page.text
    assert re.search(r'value="0"[^>]*name="tokens_per_hour"', page.text)
    with pytest.raises(TokensSpent):
        await Till(person_of(member)).reserve(1, 1)

    seen = re.search(r'name="seen" value="([^"]*)"', page.text)[1]
    page = await budgets(client, tokens_per_hour="5000", seen=seen)
    assert page.status_code == 200
    await Till(person_of(member)).reserve(1, 1)


async def test_of_two_who_set_budgets_at_once_the_second_looks_again(client, team):
    admin, _ = team
    person = person_of(admin)
    seen = rules.seen_of(None)

    async def one(tokens: int) -> str:
        try:
            await limit(person, tokens_per_hour=tokens, seen=seen)
        except rules.BudgetsChangedMeanwhile:
            return "looks again"
        return "set"

    assert sorted(await asyncio.gather(one(1), one(2))) == ["looks again", "set"]


async def test_budgets_of_other_organisations_cannot_be_seen_or_set(client, team):
    admin, _ = team
    other = await make_user(password=False)
    await sign_in(client, admin)
    address = f"/admin/usage/budgets?of={other.user_id}"
    assert (await client.get(address, headers={"Accept": "text/html"})).status_code == 404
    assert (
        await budgets(client, user_id=str(other.user_id), tokens_per_day="0")
    ).status_code == 404
    await Till(person_of(other)).reserve(1, 1)


async def test_only_administrators_reach_the_budgets(client, team):
    _, member = team
    await sign_in(client, member)
    page = await client.get("/admin/usage/budgets", headers={"Accept": "text/html"})
    assert page.status_code == 403
    assert (await budgets(client, tokens_per_hour="1")).status_code == 403


async def test_the_page_sums_by_cost_centre_where_there_is_one(client, team):
    admin, member = team
    await sign_in(client, admin)
    await spend(member, 10, 7)
    assert "By cost centre" not in (await client.get("/admin/usage")).text
    await limit(person_of(admin), member.user_id, cost_center="Research 42")
    await spend(member, 10, 1_250_000)
    found = await rows(client, "/admin/usage", "By cost centre")
    assert [(row[0], row[-1]) for row in found] == [
        ("Research 42", "$1.25"),
        ("None", "$0.0000070"),
    ]


async def test_the_page_shows_what_cost_and_took_how_much(client, team):
    admin, _ = team
    till = Till(person_of(admin))
    for milliseconds in (100, 200, 900):
        await till.settle(await till.reserve(), 10, 500_000, first_text_ms=milliseconds)
    await sign_in(client, admin)
    page = (await client.get("/admin/usage", headers={"Accept": "text/html"})).text
    by_feature = page.partition("Cost by feature")[2].partition("</figure>")[0]
    assert "<span>chat</span>" in by_feature
    assert "$1.50" in by_feature
    assert ">0.20</td>" in page
    assert "Unknown, counted as the dearest" in page
    assert "Chargeback" not in page
    async with db.transaction(organization_id=admin.organization_id) as session:
        await session.execute(text("UPDATE usage_records SET created_at = '2026-02-03T12:00Z'"))
    page = (await client.get("/admin/usage?month=2026-02", headers={"Accept": "text/html"})).text
    assert "/api/usage/chargeback?month=2026-02" in page


async def test_a_month_shows_the_prices_it_had_and_the_current_one_those_to_come(
    client, team, tmp_path, configure
):
    admin, _ = team
    own = tmp_path / "prices.toml"
    own.write_text(
        "[openai]\nm = [{ input = 1, output = 2 }, { from = 2035-01-01, input = 3, output = 4 }]\n"
    )
    configure(USAGE_PRICES_FILE=own)
    await spend(admin, 100, 100)
    await sign_in(client, admin)
    shown = await rows(client, "/admin/usage", "Prices of the models used")
    assert [row[:5] for row in shown] == [
        ["m", "$1.00", "$1.00", "$2.00", ""],
        ["m", "$3.00", "$3.00", "$4.00", "1 Jan 2035"],
    ]
    async with db.transaction(organization_id=admin.organization_id) as session:
        await session.execute(text("UPDATE usage_records SET created_at = '2026-02-03T12:00Z'"))
    old = await rows(client, "/admin/usage?month=2026-02", "Prices of the models used")
    assert [row[1] for row in old] == ["$1.00"]


async def test_the_month_says_whose_hours_were_strange(client, team):
    admin, member = team
    at = {"started_at": now(), "last_at": now(), "unit": "microdollars"}
    rows_of = [
        {"kind": "person", "name": "", "user_id": member.user_id, "seen": 45_000_000, "usual": 1},
        {"kind": "feature", "name": "<letters>", "user_id": None, "seen": 9_000_000, "usual": 1},
    ]
    async with db.transaction(elevated=True) as session:
        for row in rows_of:
            await session.execute(
                insert(UsageAnomaly).values(organization_id=admin.organization_id, **at, **row)
            )
    await sign_in(client, admin)
    page = (await client.get("/admin/usage")).text
    assert "Grace Hopper: far more than usual" in page
    assert "Feature &lt;letters&gt;: far more than usual" in page
