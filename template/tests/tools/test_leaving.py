"""Whoever is suspended, removed or given a smaller role while an answer is written for them."""

import asyncio
from dataclasses import replace

import pytest

from tests.factories import make_user
from tests.tools.conftest import asks, says, uses
from tests.tools.meanwhile import meanwhile, of_the_budget, slow

__all__ = ["slow"]


@pytest.mark.asvs("7.4.2")
@pytest.mark.parametrize("how", ["suspended", "removed"])
async def test_who_is_put_out_while_a_tool_works_gets_no_further_one(
    how, browser_of, model, plays, slow
):
    admin = await browser_of(await make_user(role="admin", password=False))
    member = await browser_of(await make_user(admin.someone.organization_id, password=False))
    plays(asks(("look_long", {})), asks(("read_more", {})), says("Never said."))
    them = f"/api/users/{member.someone.user_id}"
    doing = admin.client.delete(them) if how == "removed" else admin.client.post(f"{them}/suspend")
    begun, go_on, ran = slow
    _, events = await meanwhile(member, begun.wait, doing, go_on)

    assert uses(events) == [("look_long", "done", "")]
    assert (events[-1][0], events[-1][1]["type"]) == ("error", "/problems/no-longer-here")
    assert ran == []
    assert len(model.requests) == 1, "what the tool found is told to nobody"
    assert await of_the_budget(member.someone) == (["settled"], 0)


async def test_who_is_suspended_while_the_model_thinks_gets_none_at_all(
    browser_of, model, plays, slow
):
    admin = await browser_of(await make_user(role="admin", password=False))
    member = await browser_of(await make_user(admin.someone.organization_id, password=False))
    go_on = asyncio.Event()
    plays(replace(asks(("read_more", {})), hold=go_on), says("Never said."))

    async def asked():
        while not model.requests:
            await asyncio.sleep(0.01)

    them = f"/api/users/{member.someone.user_id}"
    conversation, events = await meanwhile(
        member, asked, admin.client.post(f"{them}/suspend"), go_on
    )
    assert events[-1][1]["type"] == "/problems/no-longer-here"
    assert slow[2] == []
    assert len(model.requests) == 1
    assert await of_the_budget(member.someone) == (["settled"], 0)
    # Let in again, they see how far it came, and ask anew.
    assert (await admin.client.post(f"{them}/reactivate")).status_code == 200
    again = await browser_of(member.someone)
    [_, kept] = await again.messages(conversation)
    assert kept["state"] == "interrupted"
    told = [(one["name"], one["state"], one["reason"]) for one in kept["metadata"]["tools"]]
    assert told == [("read_more", "refused", "not_permitted")]
    plays(says("Back."))
    assert (await again.ask(conversation, "Look again."))[-1][0] == "done"


async def test_what_a_smaller_role_does_not_open_is_read_no_more(browser_of, plays, slow):
    admin = await browser_of(await make_user(role="admin", password=False))
    # Whoever is given another role signs in anew; a role itself can change for all who have it.
    wide = {"name": "Readers", "permissions": ["assistant.use", "llm.call", "users.read"]}
    made = (await admin.client.post("/api/roles", json=wide)).json()
    other = await browser_of(
        await make_user(admin.someone.organization_id, role=made["id"], password=False)
    )
    plays(asks(("look_long", {})), asks(("read_people", {}), ("read_more", {})), says("Some."))
    narrow = wide | {"permissions": ["assistant.use", "llm.call"]}
    doing = admin.client.put(f"/api/roles/{made['id']}", json=narrow)
    begun, go_on, ran = slow
    _, events = await meanwhile(other, begun.wait, doing, go_on)

    assert uses(events) == [
        ("look_long", "done", ""),
        ("read_people", "refused", "not_permitted"),
        ("read_more", "done", ""),
    ]
    assert ran == ["read_more"]
    assert events[-1][0] == "done"
