"""Who sees which numbers."""

import pytest

from app.monitoring import judge_work
from tests.factories import make_user, sign_in
from tests.monitoring.conftest import GOOD, says

PATHS = ("speed", "outcomes", "quality")


@pytest.mark.usefixtures("believed")
async def test_reviewers_see_their_organisation_s_numbers_and_no_other_s(
    client, browser, model, judged
):
    model.behaviour = says("I'm sorry, but I can't help with that.")
    judged(GOOD | {"relevant": False, "correct": None})
    mine = browser.someone.organization_id
    for _ in range(2):
        events = await browser.ask(await browser.new(), "Where is Ada Lovelace's grave?")
    call = next(data for name, data in events if name == "done")["call_id"]
    thumb = await browser.client.put(f"/api/feedback/{call}", json={"rating": "down"})
    assert thumb.status_code == 200
    await judge_work.run()

    await sign_in(client, await make_user(mine, role="reviewer"))
    found = {path: (await client.get(f"/api/monitoring/{path}")).json() for path in PATHS}
    [line] = found["speed"]
    assert (line["model"], line["calls"]) == ("small-1", 2)
    assert 0 < line["p50"] <= line["p95"] <= line["p99"]
    assert 0 < line["first_p50"] <= line["first_p95"]
    [day] = found["outcomes"]
    assert (day["calls"], day["answered"], day["declined"], day["failed"]) == (2, 2, 2, 0)
    [version] = found["quality"]["versions"]
    assert (version["prompt"], version["model"], version["judged"]) == (
        "assistant.system",
        "small-1",
        2,
    )
    shares = {name: (one["hits"], one["of"]) for name, one in version["shares"].items()}
    assert shares == {"relevant": (0, 2), "safe": (2, 2), "form": (2, 2), "thumbs": (0, 1)}
    assert version["shares"]["safe"]["low"] < 0.5 < version["shares"]["safe"]["high"]
    assert found["quality"]["judge"]["kappas"]["safe"] == 1.0
    assert "Lovelace" not in str(found)

    await sign_in(client, await make_user(role="admin"))
    other = {path: (await client.get(f"/api/monitoring/{path}?days=90")).json() for path in PATHS}
    assert other["speed"] == other["outcomes"] == other["quality"]["versions"] == []
    assert other["quality"]["states"] == {}
    await sign_in(client, await make_user(mine, role="member"))
    for path in PATHS:
        assert (await client.get(f"/api/monitoring/{path}")).status_code == 403
