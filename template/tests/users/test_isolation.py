"""Two organisations share the tables, and know nothing of each other."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.core import db
from app.users.models import Membership
from tests.factories import make_organization, make_user, sign_in


@pytest.fixture
async def theirs():
    """Another organisation with an administrator, a member and an open invitation."""
    organization = await make_organization()
    admin = await make_user(organization, role="admin", display_name="Their Admin")
    member = await make_user(organization, display_name="Their Member")
    return organization, admin, member


@pytest.fixture
async def invitation(theirs, new_browser):
    organization, admin, _ = theirs
    async with new_browser() as browser:
        await sign_in(browser, admin)
        made = await browser.post(
            "/api/invitations", json={"email": f"new.{organization.slug}@example.com"}
        )
        assert made.status_code == 201
    return made.json()


@pytest.fixture
async def ours(client):
    """The client is an administrator of an organisation of its own."""
    admin = await make_user(role="admin", display_name="Our Admin")
    await sign_in(client, admin)
    return admin


async def state_of(someone):
    """What the database holds about a person, whoever asks."""
    async with db.transaction(elevated=True) as session:
        row = await session.execute(
            text(
                "SELECT m.role, m.suspended_at, u.display_name, u.email FROM users u"
                " JOIN memberships m ON m.user_id = u.id WHERE u.id = :u"
            ),
            {"u": someone.user_id},
        )
        return row.one()


@pytest.mark.asvs("8.4.1")
async def test_lists_and_search_show_only_ones_own(client, ours, theirs):
    _, admin, member = theirs
    for path in (
        "/api/users",
        "/api/users?limit=200",
        "/api/users?search=Their",
        f"/api/users?search={member.email}",
        f"/api/users?after={ours.user_id}",
        f"/api/users?after={uuid4()}",
    ):
        found = {one["id"] for one in (await client.get(path)).json()["users"]}
        assert found <= {str(ours.user_id)}, path
        assert not found & {str(admin.user_id), str(member.user_id)}
    everyone = (await client.get("/api/users")).json()["users"]
    assert [one["id"] for one in everyone] == [str(ours.user_id)]


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/users/{id}", None),
        ("PUT", "/api/users/{id}/role", {"role": "member"}),
        ("PUT", "/api/users/{id}/role", {"role": "admin"}),
        ("POST", "/api/users/{id}/suspend", None),
        ("POST", "/api/users/{id}/reactivate", None),
        ("DELETE", "/api/users/{id}", None),
    ],
)
async def test_people_of_others_do_not_exist(client, ours, theirs, method, path, body):
    for someone in theirs[1:]:
        before = await state_of(someone)
        answer = await client.request(method, path.format(id=someone.user_id), json=body)
        nobody = await client.request(method, path.format(id=uuid4()), json=body)
        assert answer.status_code == 404
        # Not even the words tell a stranger's person from nobody.
        assert answer.json()["detail"] == nobody.json()["detail"]
        assert await state_of(someone) == before


async def test_invitations_of_others_do_not_exist(client, ours, invitation):
    assert (await client.get("/api/invitations")).json() == []
    answer = await client.delete(f"/api/invitations/{invitation['id']}")
    assert answer.status_code == 404
    async with db.transaction(elevated=True) as session:
        revoked = await session.scalar(
            text("SELECT revoked_at FROM invitations WHERE id = :i"), {"i": invitation["id"]}
        )
    assert revoked is None


async def test_inviting_someone_elses_member_changes_nothing_over_there(client, ours, theirs):
    _, _, member = theirs
    before = await state_of(member)
    answer = await client.post("/api/invitations", json={"email": member.email, "role": "admin"})
    # The same answer as for any address: it does not tell that there is an account elsewhere.
    assert answer.status_code == 201
    assert await state_of(member) == before


async def test_inviting_withdraws_only_ones_own_invitation(client, ours, invitation, new_browser):
    answer = await client.post("/api/invitations", json={"email": invitation["email"]})
    assert answer.status_code == 201
    async with db.transaction(elevated=True) as session:
        still_open = await session.scalar(
            text(
                "SELECT count(*) FROM invitations WHERE email = :e AND revoked_at IS NULL"
                " AND accepted_at IS NULL"
            ),
            {"e": invitation["email"]},
        )
    assert still_open == 2


async def test_whoever_belongs_to_two_leaves_only_one(client, ours, theirs, new_browser):
    organization, _, member = theirs
    async with db.transaction(elevated=True) as session:
        session.add(Membership(organization_id=ours.organization_id, user_id=member.user_id))
    async with new_browser() as browser:
        await sign_in(browser, member)  # over there
        for change in (
            client.put(f"/api/users/{member.user_id}/role", json={"role": "reviewer"}),
            client.post(f"/api/users/{member.user_id}/suspend"),
            client.delete(f"/api/users/{member.user_id}"),
        ):
            assert (await change).status_code < 300
        me = (await browser.get("/api/me")).json()
    assert (me["organization_id"], me["role"]) == (str(organization.id), "member")
    assert (await client.get(f"/api/users/{member.user_id}")).status_code == 404


async def change(browser, kind, user_id):
    match kind:
        case "role":
            return await browser.put(f"/api/users/{user_id}/role", json={"role": "member"})
        case "suspend":
            return await browser.post(f"/api/users/{user_id}/suspend")
        case "remove":
            return await browser.delete(f"/api/users/{user_id}")


async def admins_of(organization_id):
    async with db.transaction(elevated=True) as session:
        return await session.scalar(
            text(
                "SELECT count(*) FROM memberships WHERE organization_id = :o"
                " AND role = 'admin' AND suspended_at IS NULL"
            ),
            {"o": organization_id},
        )


@pytest.mark.parametrize("kind", ["role", "suspend", "remove"])
async def test_the_last_administrator_cannot_be_taken_away(client, ours, kind):
    # Administrators elsewhere do not count.
    await make_user(role="admin")
    await make_user(ours.organization_id)
    answer = await change(client, kind, ours.user_id)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/last-admin"
    assert await admins_of(ours.organization_id) == 1
    assert (await client.get("/api/users")).status_code == 200


@pytest.mark.parametrize("kind", ["role", "suspend", "remove"])
async def test_two_administrators_cannot_take_each_other_away_at_once(
    client, ours, new_browser, kind
):
    other = await make_user(ours.organization_id, role="admin")
    async with new_browser() as browser:
        await sign_in(browser, other)
        answers = await asyncio.gather(
            change(client, kind, other.user_id), change(browser, kind, ours.user_id)
        )
    assert await admins_of(ours.organization_id) == 1
    statuses = sorted(one.status_code for one in answers)
    # The loser finds to be the last one, or to be no administrator with a session any more.
    assert statuses[0] in {200, 204}
    assert statuses[1] in {401, 403, 409}


@pytest.mark.parametrize("kind", ["role", "suspend", "remove"])
async def test_of_many_administrators_leaving_at_once_one_stays(ours, new_browser, kind):
    people = [ours, *[await make_user(ours.organization_id, role="admin") for _ in range(4)]]
    browsers = [await sign_in(new_browser(), one) for one in people]
    answers = await asyncio.gather(
        *(change(browser, kind, one.user_id) for browser, one in zip(browsers, people, strict=True))
    )
    for browser in browsers:
        await browser.aclose()
    assert sorted(one.status_code // 100 for one in answers) == [2, 2, 2, 2, 4]
    assert await admins_of(ours.organization_id) == 1


async def test_an_owner_from_before_is_bound_only_where_ownership_is_handed_on(
    client, ours, monkeypatch
):
    """A product that no longer has several organisations has no page that could free them."""
    from app.users import founding

    owner = await make_user(ours.organization_id, role="admin")
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE organizations SET owner_id = :u WHERE id = :o"),
            {"u": owner.user_id, "o": ours.organization_id},
        )
    path = f"/api/users/{owner.user_id}/suspend"
    monkeypatch.setattr(founding, "MODULES", [*founding.MODULES, "organizations"])
    assert (await client.post(path)).json()["type"] == "/problems/owner-stays"
    monkeypatch.setattr(founding, "MODULES", ["users"])
    assert (await client.post(path)).status_code == 200
