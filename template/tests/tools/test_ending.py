"""What someone came by, a session or a key, ends while an answer is written for them."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text

from app.auth import links
from app.core import db
from app.tools.registry import Use
from tests.asking import Browser
from tests.conftest import new_client
from tests.factories import PASSWORD, make_user, set_policy, sign_in
from tests.impersonation.conftest import work_as
from tests.tools.conftest import asks, says, uses
from tests.tools.meanwhile import Nothing, meanwhile, of_the_budget, slow

__all__ = ["slow"]
NEW = "another long sentence 17"


@pytest.fixture
def looks(plays):
    """The model looks for long, then wants to read, then speaks."""
    plays(asks(("look_long", {})), asks(("read_more", {})), says("Seen."))


@pytest.fixture
async def admin(browser_of):
    return await browser_of(await make_user(role="admin", password=False))


@pytest.fixture
async def member(browser_of, admin):
    return await browser_of(await make_user(admin.someone.organization_id))


@pytest.fixture
async def program_of(app):
    """`program, key = await program_of(browser)`: it asks with a key of theirs."""
    async with new_client(app) as client:
        del client.headers["Sec-Fetch-Site"]

        async def of(browser):
            key = await make_key(browser)
            client.headers["Authorization"] = f"Bearer {key['secret']}"
            return Browser(client, browser.someone), key["id"]

        yield of


async def make_key(browser):
    wanted = {"name": "Nightly export", "scopes": ["assistant.use", "llm.call"]}
    made = await browser.client.post("/api/keys", json=wanted)
    assert made.status_code == 201, made.text
    return made.json()


def ended(events):
    assert uses(events) == [("look_long", "done", "")]
    return (events[-1][0], events[-1][1]["type"]) == ("error", "/problems/no-longer-here")


def went_on(events):
    assert uses(events) == [("look_long", "done", ""), ("read_more", "done", "")]
    return events[-1][0] == "done"


async def reset(browser):
    """A new password by the mailed link, which ends every session."""
    async with db.transaction(elevated=True) as session:
        token = await links.make(session, browser.someone.user_id, "reset")
    form = {"token": token, "password": NEW}
    return await browser.client.post("/api/auth/password-reset/finish", json=form)


async def end_others(browser_of, member):
    other = await browser_of(member.someone)
    return await other.client.delete("/api/auth/sessions")


async def end_one(browser_of, member):
    other = await browser_of(member.someone)
    [theirs] = [
        one for one in (await other.client.get("/api/auth/sessions")).json() if not one["current"]
    ]
    return await other.client.delete(f"/api/auth/sessions/{theirs['id']}")


@pytest.mark.asvs("7.4.1", "7.4.3")
@pytest.mark.parametrize("how", ["signed out", "others", "one", "administrator", "all", "reset"])
async def test_no_further_tool_runs_for_a_session_that_has_ended(
    how, browser_of, admin, member, model, looks, slow, new_browser
):
    them = f"/api/auth/users/{member.someone.user_id}/sessions"
    async with new_browser() as elsewhere:
        doing = {
            "signed out": lambda: member.client.post("/api/auth/sign-out"),
            "others": lambda: end_others(browser_of, member),
            "one": lambda: end_one(browser_of, member),
            "administrator": lambda: admin.client.delete(them),
            "all": lambda: admin.client.delete("/api/auth/users/sessions"),
            "reset": lambda: reset(Browser(elsewhere, member.someone)),
        }[how]
        begun, go_on, ran = slow
        _, events = await meanwhile(member, begun.wait, doing(), go_on)

    assert ended(events)
    assert ran == []
    assert len(model.requests) == 1, "what the tool found is told to nobody"
    assert await of_the_budget(member.someone) == (["settled"], 0)


async def test_a_session_with_a_new_token_goes_on_and_ends_as_what_it_has_become(
    admin, member, model, looks, slow, plays
):
    begun, go_on, ran = slow
    proof = {"password": PASSWORD}

    async def rotate():
        answer = await member.client.post("/api/auth/prove-again", json=proof)
        assert answer.status_code == 200, answer.text
        member.client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return answer

    async def twice():
        await rotate()
        return await rotate()

    _, events = await meanwhile(member, begun.wait, twice(), go_on)
    assert went_on(events)

    async def rotate_and_end():
        await rotate()
        return await admin.client.delete(f"/api/auth/users/{member.someone.user_id}/sessions")

    plays(asks(("look_long", {})), asks(("read_more", {})), says("Never said."))
    begun.clear()
    go_on.clear()
    ran.clear()
    _, events = await meanwhile(member, begun.wait, rotate_and_end(), go_on)
    assert ended(events)
    assert ran == []


@pytest.mark.parametrize("how", ["expired", "policy"])
async def test_no_further_tool_runs_for_a_session_that_would_open_no_more(
    how, admin, member, looks, slow
):
    begun, go_on, ran = slow

    async def expire():
        async with db.transaction(elevated=True) as session:
            await session.execute(
                text("UPDATE sessions SET expires_at = now() WHERE user_id = :id"),
                {"id": member.someone.user_id},
            )
        return await admin.client.get("/api/me")

    async def forbid():
        before = await admin.client.get("/api/me")
        await set_policy(member.someone.organization_id, sign_in_methods=["passkey"])
        return before

    doing = expire() if how == "expired" else forbid()
    _, events = await meanwhile(member, begun.wait, doing, go_on)
    assert ended(events)
    assert ran == []


async def test_when_the_own_session_of_an_impersonator_ends_so_does_what_they_asked(
    admin, member, browser_of, looks, slow
):
    await sign_in(admin.client, admin.someone)
    await work_as(admin.client, member.someone)
    begun, go_on, ran = slow
    other = await browser_of(admin.someone)
    _, events = await meanwhile(admin, begun.wait, other.client.delete("/api/auth/sessions"), go_on)
    assert ended(events)
    assert ran == []


@pytest.mark.parametrize("who", ["owner", "administrator"])
async def test_no_further_tool_runs_for_a_key_that_was_revoked(
    who, admin, member, program_of, model, looks, slow
):
    program, key = await program_of(member)
    await make_key(member)  # Another one of theirs works on, which does not help.
    doing = (
        member.client.delete(f"/api/keys/{key}")
        if who == "owner"
        else admin.client.delete(f"/api/organization/keys/{key}")
    )
    begun, go_on, ran = slow
    _, events = await meanwhile(program, begun.wait, doing, go_on)

    assert ended(events)
    assert ran == []
    assert len(model.requests) == 1
    assert await of_the_budget(member.someone) == (["settled"], 0)


async def test_a_key_that_is_revoked_while_the_model_thinks_has_it_use_no_tool(
    member, program_of, model, plays, slow
):
    program, key = await program_of(member)
    go_on = asyncio.Event()
    plays(replace(asks(("read_more", {})), hold=go_on), says("Never said."))

    async def asked():
        while not model.requests:
            await asyncio.sleep(0.01)

    _, events = await meanwhile(program, asked, member.client.delete(f"/api/keys/{key}"), go_on)
    assert events[-1][1]["type"] == "/problems/no-longer-here"
    assert slow[2] == []
    assert len(model.requests) == 1


async def test_a_key_whose_time_is_over_gets_no_further_tool(member, program_of, looks, slow):
    program, key = await program_of(member)
    begun, go_on, ran = slow

    async def expire():
        async with db.transaction(elevated=True) as session:
            await session.execute(
                text("UPDATE api_keys SET expires_at = now() WHERE id = :id"), {"id": key}
            )
        return await member.client.get("/api/me")

    _, events = await meanwhile(program, begun.wait, expire(), go_on)
    assert ended(events)
    assert ran == []


@pytest.mark.parametrize("what", ["another's", "another of theirs", "renewed", "signed out"])
async def test_what_ends_elsewhere_changes_nothing_for_a_key(
    what, browser_of, member, program_of, looks, slow
):
    program, key = await program_of(member)
    stranger = await browser_of(await make_user(password=False))
    theirs = (await make_key(stranger))["id"]
    second = (await make_key(member))["id"]
    doing = {
        "another's": lambda: stranger.client.delete(f"/api/keys/{theirs}"),
        "another of theirs": lambda: member.client.delete(f"/api/keys/{second}"),
        "renewed": lambda: member.client.post(f"/api/keys/{key}/renew", json={}),
        "signed out": lambda: member.client.post("/api/auth/sign-out"),
    }[what]
    begun, go_on, ran = slow
    _, events = await meanwhile(program, begun.wait, doing(), go_on)
    assert went_on(events)
    assert ran == ["read_more"]


@pytest.mark.parametrize("first", ["read", "write"])
async def test_of_two_tools_in_one_round_the_second_writes_nothing_for_a_key_revoked_meanwhile(
    first, member, program_of, model, plays, slow, tool
):
    begun, go_on, ran = slow

    @tool(title="Work", permission="assistant.use", stakes=first, taints=False)
    async def work_long(use: Use, arguments: Nothing) -> str:
        """Work."""
        begun.set()
        await go_on.wait()
        return "worked"

    @tool(title="Write", permission="assistant.use", stakes="write", taints=False)
    async def write_down(use: Use, arguments: Nothing) -> str:
        """Write."""
        ran.append("write_down")
        return "written"

    program, key = await program_of(member)
    plays(asks(("work_long", {}), ("write_down", {})), says("Never said."))
    revoked = member.client.delete(f"/api/keys/{key}")
    conversation, events = await meanwhile(program, begun.wait, revoked, go_on)

    assert events[-1][1]["type"] == "/problems/no-longer-here"
    assert ran == []
    assert len(model.requests) == 1
    [_, kept] = await member.messages(conversation)
    told = [(one["name"], one["state"], one["reason"]) for one in kept["metadata"]["tools"]]
    assert told == [("work_long", "done", ""), ("write_down", "refused", "not_permitted")]
