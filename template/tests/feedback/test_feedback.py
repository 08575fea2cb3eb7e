from uuid import UUID

import httpx2
import pytest

from app.audit import service as audit
from app.core import db
from app.core.ids import uuid7
from app.feedback.service import ratings
from tests.factories import Someone, make_organization, make_user, sign_in
from tests.feedback.conftest import call_of
from tests.usage.conftest import person_of


async def kept(someone: Someone, call_id: UUID) -> dict[UUID, str]:
    person = person_of(someone)
    async with db.transaction(
        organization_id=someone.organization_id, user_id=someone.user_id
    ) as session:
        return await ratings(session, person, [call_id])


async def events_of(someone: Someone) -> list[tuple[str, str | None, dict]]:
    async with db.transaction(organization_id=someone.organization_id) as session:
        page = await audit.search(session, someone.organization_id, audit.Filter(action="feedback"))
    return [(event.action, event.target, event.detail) for event in page.events]


@pytest.fixture
async def asker(client: httpx2.AsyncClient) -> Someone:
    someone = await make_user(password=False)
    await sign_in(client, someone)
    return someone


async def test_a_thumb_is_kept(client, asker):
    call = await call_of(asker)
    response = await client.put(f"/api/feedback/{call}", json={"rating": "up"})
    assert response.status_code == 200
    assert response.json()["rating"] == "up"
    assert await kept(asker, call) == {call: "up"}


async def test_a_thumb_stands_in_the_audit_log_without_the_comment(client, asker):
    call = await call_of(asker)
    await client.put(
        f"/api/feedback/{call}", json={"rating": "down", "comment": "Ada's salary is wrong."}
    )
    assert await events_of(asker) == [("feedback.given", str(call), {"rating": "down"})]


async def test_who_thinks_again_replaces_what_they_said(client, asker):
    call = await call_of(asker)
    first = await client.put(
        f"/api/feedback/{call}", json={"rating": "down", "comment": "  It misses a step.  "}
    )
    assert first.json()["comment"] == "It misses a step."
    second = await client.put(f"/api/feedback/{call}", json={"rating": "up"})
    assert second.json()["comment"] == ""
    assert second.json()["updated_at"] > first.json()["updated_at"]
    assert await kept(asker, call) == {call: "up"}


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("colleagues", [True, False])
async def test_nobody_rates_the_calls_of_others(client, colleagues):
    owner = await make_user(await make_organization(), password=False)
    other = await make_user(
        owner.organization_id if colleagues else None, role="admin", password=False
    )
    call = await call_of(owner)
    await sign_in(client, other)
    response = await client.put(f"/api/feedback/{call}", json={"rating": "down"})
    unknown = await client.put(f"/api/feedback/{uuid7()}", json={"rating": "down"})
    assert response.status_code == unknown.status_code == 404
    assert response.json()["detail"] == unknown.json()["detail"]
    assert await kept(owner, call) == await kept(other, call) == {}
    assert await events_of(other) == []


@pytest.mark.parametrize(
    "sent", [{"rating": "sideways"}, {}, {"rating": "up", "comment": "x" * 2001}]
)
async def test_only_up_and_down_and_a_short_comment_are_feedback(client, asker, sent):
    call = await call_of(asker)
    assert (await client.put(f"/api/feedback/{call}", json=sent)).status_code == 422
    assert await kept(asker, call) == {}


async def test_another_organisation_does_not_see_it(client, asker):
    call = await call_of(asker)
    await client.put(f"/api/feedback/{call}", json={"rating": "up"})
    stranger = await make_user(password=False)
    async with db.transaction(
        organization_id=stranger.organization_id, user_id=asker.user_id
    ) as session:
        assert await ratings(session, person_of(asker), [call]) == {}


async def test_corrections_reach_those_who_look_after_answers(client, said):
    call, member = said
    first = (await client.get("/api/feedback", params={"rating": "down", "limit": 1})).json()
    [newest] = first["feedback"]
    assert (newest["call_id"], newest["user_id"]) == (str(call), str(member.user_id))
    assert newest["correction"] == "<b>Thirty days.</b>"
    assert (newest["display_name"], newest["feature"], newest["model"]) == (
        "Grace Hopper",
        "chat",
        "m",
    )
    rest = (
        await client.get("/api/feedback", params={"rating": "down", "before": first["next"]})
    ).json()
    assert (len(rest["feedback"]), rest["next"]) == (1, None)
    assert len((await client.get("/api/feedback")).json()["feedback"]) == 3


async def test_what_others_said_is_not_for_members(client, said):
    await sign_in(client, await make_user(said[1].organization_id))
    assert (await client.get("/api/feedback")).status_code == 403
