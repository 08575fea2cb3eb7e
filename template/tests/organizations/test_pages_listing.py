"""The list of all organisations: for those who run the app, and for nobody else."""

import secrets
from uuid import UUID

import pytest

from app.core import db
from app.users.models import Organization
from app.users.service import the_organization
from tests.factories import make_membership, make_organization, make_user, set_policy
from tests.pages import Browser

PAGE, API = "/admin/organizations", "/api/admin/organizations"


@pytest.mark.asvs("8.2.1", "8.4.1")
async def test_operators_find_every_organisation_and_customers_do_not(
    app, browser, new_browser, configure
):
    configure(SESSION_SECOND_FACTOR="admins")
    word = secrets.token_hex(4)
    async with db.transaction(elevated=True) as session:
        ours = await the_organization(session)
        same = [Organization(name=f"Same {word}", slug=f"same-{word}-{n}") for n in range(51)]
        session.add_all(same)
    customer = await make_organization(name=f"100% <b>{word}</b>", slug=f"looms-{word}")
    boss = await make_user(customer, role="admin", password=False)
    member = await make_user(customer, password=False)
    operator = await make_user(ours.id, role="admin", password=False)
    await make_membership(operator, customer, suspended=True)
    await set_policy(customer.id, second_factor="everyone")

    await browser.sign_in(operator, second_factor=True)

    async def listed(**query):
        answer = await browser.client.get(API, params=query)
        assert answer.status_code == 200
        return [one["slug"] for one in answer.json()["organizations"]], answer.json()["next"]

    # Text is looked for in names and slugs, whatever its case; % and _ are letters like others.
    for text in (f"100% <b>{word}", f"LOOMS-{word}", f"  looms-{word} "):
        assert await listed(search=text) == ([customer.slug], None), text
    for text in (f"1%{word}", f"looms_{word}", f"100/% <b>{word}", f"\\{word}"):
        assert await listed(search=text) == ([], None), text
    # Others may be called alike, and all of them are newer.
    last = UUID(int=ours.id.int + 1)
    assert (await listed(search=ours.slug, before=last))[0][0] == ours.slug
    answer = await browser.client.get(API, params={"search": customer.slug})
    assert answer.json()["organizations"] == [
        {
            "id": str(customer.id),
            "name": customer.name,
            "slug": customer.slug,
            "created_at": answer.json()["organizations"][0]["created_at"],
            "members": 3,
            "suspended": 1,
            "second_factor": "everyone",
        }
    ]
    answer = await browser.client.get(API, params={"search": f"same-{word}-7"})
    # Without a policy of its own it is asked for what the settings ask of all.
    found = answer.json()["organizations"][0]
    assert (found["members"], found["suspended"], found["second_factor"]) == (0, 0, "admins")

    # All have one name: none is shown twice and none is left out.
    seen, before = [], {}
    while True:
        slugs, following = await listed(search=f"Same {word}", limit=20, **before)
        seen.append(slugs)
        if following is None:
            break
        before = {"before": following}
    assert [len(one) for one in seen] == [20, 20, 11]
    newest = sorted(same, key=lambda one: one.id, reverse=True)
    assert [slug for one in seen for slug in one] == [one.slug for one in newest]

    page = await browser.open(f"{PAGE}?search=Same+{word}")
    assert (page.heading, page.text.count(f"Same {word}")) == ("All organisations", 50)
    assert PAGE in page.links
    page = await browser.open(next(one for one in page.links if "before=" in one))
    assert page.text.count(f"Same {word}") == 1
    assert newest[-1].slug in page.text
    page = await browser.open(f"{PAGE}?search=looms-{word}")
    assert customer.name in page.text  # as text, not as markup
    assert boss.email not in page.html
    page = await browser.open(f"{PAGE}?search=looms_{word}")
    assert "No organisation found" in page.text

    for someone, problem in ((boss, "not-operator"), (member, "not-permitted")):
        async with new_browser() as other:
            await Browser(other).sign_in(someone, second_factor=True)
            for address in (PAGE, API):
                for query in ({}, {"search": ours.slug}):
                    refused = await other.get(
                        address, params=query, headers={"Accept": "application/json"}
                    )
                    told = (refused.status_code, refused.json()["type"])
                    assert told == (403, f"/problems/{problem}"), address
                    assert f"Same {word}" not in refused.text
            home = await other.get("/account", headers={"Accept": "text/html"})
            assert (home.status_code, PAGE in home.text) == (200, False)
