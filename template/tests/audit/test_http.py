import csv
import io
import json
from datetime import timedelta

import httpx2
import pytest

from app.audit.chain import canonical
from app.core.clock import now
from tests.audit.conftest import happen
from tests.factories import make_user, sign_in


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
        file = await browser.get("/api/audit/export")
    assert "test.mine" not in file.text
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


@pytest.mark.parametrize("path", ["/api/audit", "/api/audit/export"])
async def test_a_filter_that_no_event_can_have_is_refused_before_the_answer_begins(
    client, admin, path
):
    answer = await client.get(f"{path}?action=%00")

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/invalid"
