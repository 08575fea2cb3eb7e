import csv
import io
import json
from datetime import timedelta

import httpx2
import pytest

from app.audit import service
from app.audit.chain import canonical
from app.core.clock import now
from app.core.db import transaction
from tests.factories import Someone, make_organization, make_user, sign_in


@pytest.fixture
async def admin(client) -> Someone:
    someone = await make_user(role="admin", password=False)
    await sign_in(client, someone)
    return someone


async def happen(someone: Someone, *actions: str, **values: object) -> None:
    for action in actions:
        async with transaction(organization_id=someone.organization_id) as db:
            await service.record(
                db,
                action,
                organization_id=someone.organization_id,
                **{"user_id": someone.user_id} | values,
            )


async def actions(client: httpx2.AsyncClient, **query: object) -> list[str]:
    response = await client.get("/api/audit", params=query)
    assert response.status_code == 200, response.text
    return [event["action"] for event in response.json()["events"]]


async def test_an_administrator_reads_the_log_newest_first(client, admin):
    await happen(admin, "test.first", "test.second")

    assert await actions(client) == ["test.second", "test.first"]


async def test_administrators_never_see_the_log_of_another_organisation(client, admin, new_browser):
    other = await make_user(role="admin", password=False)
    await happen(admin, "test.mine")
    await happen(other, "test.theirs")

    async with new_browser() as browser:
        await sign_in(browser, other)
        assert await actions(browser) == ["test.theirs"]
        page = await browser.get("/admin/audit")
        file = await browser.get("/api/audit/export")
    assert "test.mine" not in page.text + file.text
    assert await actions(client) == ["test.mine"]


@pytest.mark.parametrize("path", ["/api/audit", "/api/audit/export"])
@pytest.mark.parametrize(("role", "status"), [("member", 403), ("reviewer", 403), (None, 401)])
async def test_only_administrators_read_the_log(client, path, role, status):
    if role:
        await sign_in(client, await make_user(role=role, password=False))

    assert (await client.get(path)).status_code == status


async def test_pages_follow_one_another_without_gap_or_overlap(client, admin):
    await happen(admin, *(f"test.number-{letter}" for letter in "abcdefg"))
    found, before = [], None
    while True:
        query = {"limit": 3} | ({"before": before} if before else {})
        page = (await client.get("/api/audit", params=query)).json()
        found += [event["action"][-1] for event in page["events"]]
        if (before := page["next"]) is None:
            break
        await happen(admin, "test.meanwhile")

    assert "".join(found) == "gfedcba"


async def test_events_are_filtered_by_action_or_its_group(client, admin):
    await happen(admin, "session.started", "session.ended", "sessions.other", "user.removed")

    assert await actions(client, action="session") == ["session.ended", "session.started"]
    assert await actions(client, action="user.removed") == ["user.removed"]
    assert await actions(client, action="%") == []


async def test_events_are_filtered_by_person(client, admin):
    colleague = await make_user(admin.organization_id, password=False)
    await happen(admin, "test.mine")
    await happen(colleague, "test.theirs")

    assert await actions(client, person=str(colleague.user_id)) == ["test.theirs"]


async def test_events_are_filtered_by_time(client, admin):
    await happen(admin, "test.now")
    today, tomorrow = now().date(), now().date() + timedelta(days=1)
    hour_ago = (now() - timedelta(hours=1)).isoformat()

    assert await actions(client, **{"from": hour_ago, "to": str(tomorrow)}) == ["test.now"]
    assert await actions(client, to=str(today)) == ["test.now"]
    assert await actions(client, to=hour_ago) == []
    assert await actions(client, **{"from": str(tomorrow)}) == []


async def test_empty_fields_of_the_form_filter_nothing(client, admin):
    await happen(admin, "test.now")

    response = await client.get("/admin/audit?action=&person=&from=&to=")

    assert response.status_code == 200
    assert "Test now" in response.text


async def test_the_export_holds_everything_the_hash_covers(client, admin):
    await happen(admin, "test.first", detail={"role": "admin"}, target="=1+1")
    await happen(admin, "test.second")

    response = await client.get("/api/audit/export?format=jsonl")

    assert response.headers["content-type"] == "application/jsonl"
    assert "attachment" in response.headers["content-disposition"]
    events = [json.loads(line) for line in response.text.splitlines()]
    assert [event["action"] for event in events] == ["test.first", "test.second", "audit.exported"]
    assert events[1]["previous_hash"] == events[0]["hash"]
    assert canonical(events[0]["detail"]) == '{"role": "admin"}'


async def test_the_export_as_csv_opens_in_a_spreadsheet_and_runs_nothing(client, admin):
    await happen(admin, "test.first", detail={"role": "admin"}, target="=1+1")

    response = await client.get("/api/audit/export", params={"action": "test"})

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(response.text))
    assert row["action"] == "test.first"
    assert row["target"] == "'=1+1"
    assert json.loads(row["detail"]) == {"role": "admin"}


async def test_an_export_goes_over_many_batches(client, admin, monkeypatch):
    monkeypatch.setattr("app.audit.export.BATCH", 3)
    await happen(admin, *["test.happened"] * 7)

    response = await client.get("/api/audit/export", params={"format": "jsonl", "action": "test"})

    sequences = [json.loads(line)["sequence"] for line in response.text.splitlines()]
    assert sequences == list(range(1, 8))


async def test_an_export_is_itself_recorded(client, admin):
    await client.get("/api/audit/export?format=jsonl")

    (event,) = (await client.get("/api/audit")).json()["events"]
    assert (event["action"], event["user_id"]) == ("audit.exported", str(admin.user_id))
    assert event["detail"] == {"format": "jsonl"}
    assert event["request_id"]


async def test_the_page_tells_who_did_what_in_words(client, admin):
    grace = await make_user(admin.organization_id, password=False, display_name="Grace Hopper")
    await happen(admin, "user.role_changed", target=grace.user_id, detail={"role": "reviewer"})
    await happen(admin, "test.happened", user_id=None)

    page = (await client.get("/admin/audit")).text

    assert "User role changed" in page
    assert "Ada Lovelace" in page
    assert "role: reviewer" in page
    assert "Grace Hopper" in page
    assert "The app" in page


async def test_the_page_filters_and_leads_to_older_events(client, admin):
    await happen(admin, *["test.happened"] * 60, "user.removed")

    first = (await client.get("/admin/audit?action=test")).text
    second = (await client.get("/admin/audit?action=test&before=11")).text

    assert first.count("<tr>") == 51
    assert "User removed" not in first
    assert "action=test&amp;before=11" in first
    assert second.count("<tr>") == 11


async def test_the_page_is_for_administrators(client):
    await sign_in(client, await make_user(await make_organization(), password=False))

    assert (await client.get("/admin/audit")).status_code == 403


async def test_what_was_typed_into_the_filter_is_shown_as_text(client, admin):
    page = (await client.get("/admin/audit", params={"action": '"><script>alert(1)</script>'})).text

    assert "<script>alert(1)" not in page
