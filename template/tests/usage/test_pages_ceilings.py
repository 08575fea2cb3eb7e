"""Pages of the most that organisations may use: of those who run the app, and of the others."""

import re

import pytest

from app.core.ids import uuid7
from app.usage.service import BudgetSpent, TokensSpent
from tests.factories import make_organization, make_user, sign_in
from tests.usage.conftest import MONTH, Till, give, own_limits_above, person_of
from tests.usage.test_pages import budgets, rows

PAGE = "/admin/usage/ceilings"
HTML = {"Accept": "text/html"}


@pytest.fixture
async def till(app) -> Till:
    """Of an administrator, whose organisation bears a name that the markup would take."""
    word = uuid7().hex[-8:]
    tenant = await make_organization(name=f"<b>{word}</b>")
    made = Till(person_of(await make_user(tenant, role="admin", password=False)))
    made.word, made.address = word, f"{PAGE}/{tenant.id}"
    return made


async def test_operators_see_what_each_spent_and_raise_one(client, operator, till, configure):
    configure(**{MONTH: 20})
    await till.settle(await till.reserve(), microdollars=9_000_000)
    await own_limits_above(till, microdollars_per_month=15_000_000)

    async def listed() -> list[str]:
        address = f"{PAGE}?search={till.word}"
        [row] = await rows(client, address, "Ceilings of organisations")
        return [re.sub(r"\s+", " ", cell) for cell in row[1:]]

    assert await listed() == ["$9.00", "$15.00", "$20.00By the settings", "By the settings"]
    page = (await client.get(till.address, headers=HTML)).text
    assert f'href="{PAGE}"' in page
    assert f"&lt;b&gt;{till.word}" in page
    assert "of $15.00" in page
    assert "Empty: $20.00, as the settings say. Its administrators set $15.00." in page

    fields = {"dollars_per_month": "200.5", "calls_per_hour": "90"}
    answer = await client.post(till.address, data=fields, headers=HTML, follow_redirects=True)
    assert "The ceilings hold from the next call on." in answer.text
    assert await listed() == ["$9.00", "$15.00", "$200.50Given", "90 calls an hour"]
    page = (await client.get(till.address, headers=HTML)).text
    assert 'value="200.5"' in page
    await client.post(till.address, data={"dollars_per_month": "0"}, headers=HTML)
    with pytest.raises(BudgetSpent):
        await till.reserve(0, 0)
    assert "Stopped" in (await client.get(f"{PAGE}?search={till.word}", headers=HTML)).text
    wrong = await client.post(till.address, data={"calls_per_day": "-1"}, headers=HTML)
    assert (wrong.status_code, "field-error" in wrong.text) == (422, True)
    assert (await client.get(f"{PAGE}/{uuid7()}", headers=HTML)).status_code == 404
    assert "No organisation found" in (await client.get(f"{PAGE}?search={uuid7()}")).text


async def test_nobody_undoes_on_the_page_what_was_given_after_it_was_opened(client, operator, till):
    opened = (await client.get(till.address, headers=HTML)).text
    seen = re.search(r'name="seen" value="([^"]+)"', opened)[1]
    await give(till.person.organization_id, microdollars_per_month=0)
    fields = {"dollars_per_month": "200", "seen": seen}
    page = await client.post(till.address, data=fields, headers=HTML)
    assert (page.status_code, "meanwhile" in page.text) == (409, True)
    with pytest.raises(BudgetSpent):
        await till.reserve(0, 0)


async def test_customers_neither_see_nor_reach_the_page(client, app, operators, till):
    await sign_in(client, await make_user(till.person.organization_id, role="admin"))
    assert PAGE not in (await client.get("/admin/usage", headers=HTML)).text
    assert PAGE not in (await client.get("/admin/usage/budgets", headers=HTML)).text
    for answer in (
        await client.get(PAGE, headers=HTML),
        await client.get(till.address, headers=HTML),
        await client.post(till.address, data={"dollars_per_month": "1"}, headers=HTML),
    ):
        assert answer.status_code == 403


async def test_an_administrator_reads_at_the_field_what_the_most_is(client, till, configure):
    configure(**{MONTH: 20}, USAGE_ORGANIZATION_TOKENS_PER_DAY=1000)
    here = till.person.organization_id
    await sign_in(client, await make_user(here, role="admin", password=False))
    page = (await client.get("/admin/usage/budgets", headers=HTML)).text
    assert "Empty: $20.00, the most that those who run this app allow." in page
    assert "Empty: no limit." in page
    page = await budgets(client, dollars_per_month="20.01", tokens_per_day="1000", cost_center="R")
    assert page.status_code == 422
    assert re.search(
        r'id="field-dollars_per_month-error">.*?At most \$20\.00\. Only those who run this app can',
        page.text,
        re.DOTALL,
    )
    # What was typed stays, also where it is right: nobody takes it back unseen with the next try.
    assert 'value="20.01"' in page.text
    assert 'value="1000"' in page.text
    assert "field-tokens_per_day-error" not in page.text
    assert (await budgets(client, dollars_per_month="20", tokens_per_day="1000")).status_code == 200
    # One person may have more: that of all binds as well.
    page = await client.get(f"/admin/usage/budgets?of={till.person.user_id}", headers=HTML)
    assert "those who run this app" not in page.text
    mine = {"user_id": str(till.person.user_id), "dollars_per_month": "50"}
    assert (await budgets(client, **mine)).status_code == 200


async def test_of_what_was_set_above_the_ceiling_the_page_says_that_the_lower_one_binds(
    client, till, configure
):
    configure(**{MONTH: 20}, USAGE_ORGANIZATION_TOKENS_PER_HOUR=150)
    await own_limits_above(till, microdollars_per_month=50_000_000, tokens_per_hour=10**6)
    await sign_in(client, await make_user(till.person.organization_id, role="admin"))
    page = (await client.get("/admin/usage/budgets", headers=HTML)).text
    assert "More was set than the organisation may use" in page
    assert "Tokens per hour: 1,000,000 tokens set, 150 tokens allowed." in page
    assert "US dollars per month: $50.00 set, $20.00 allowed." in page
    assert "$20.00 of $20.00 left" in (await client.get("/admin/usage", headers=HTML)).text
    with pytest.raises(TokensSpent):
        await till.reserve(151, 1)
    assert (await budgets(client, tokens_per_hour="100", dollars_per_month="5")).status_code == 200
    page = (await client.get("/admin/usage/budgets", headers=HTML)).text
    assert "More was set" not in page


async def test_who_runs_the_app_goes_from_the_budgets_of_their_own_to_the_ceiling(client, operator):
    await client.get(PAGE, headers=HTML)  # this process knows then who runs the app
    page = (await client.get("/admin/usage/budgets", headers=HTML)).text
    assert f"{PAGE}/{operator.organization_id}" in page
