"""High stakes wait for someone entitled; what is approved runs once, as who asked."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.core import db
from app.core.clock import now
from app.core.ids import uuid7
from app.tools import approving, jobs
from app.tools.models import ToolApproval
from app.tools.registry import Arguments, Use
from tests.asking import Browser, text_of
from tests.conftest import new_client
from tests.factories import make_organization, make_role, make_user, sign_in
from tests.tools.conftest import asks, recorded, says, uses
from tests.usage.conftest import person_of


class Amount(Arguments):
    amount: int
    to: str = "Ada"


@pytest.fixture
def paid(tool):
    """Who paid how much, by a tool with high stakes."""
    found = []

    @tool(title="Pay", permission="feedback.give", stakes="high", taints=False)
    async def pay_out(db, use: Use, arguments: Amount) -> str:
        """Pay."""
        found.append((use.person.user_id, arguments.amount))
        if arguments.amount < 0:
            raise RuntimeError("no")
        await db.execute(text("UPDATE users SET display_name = 'Paid'"))
        return f"{arguments.amount} paid"

    return found


@pytest.fixture
async def office(browser_of):
    organization = await make_organization()
    asker = await browser_of(await make_user(organization, password=False))
    boss = await browser_of(await make_user(organization, role="reviewer", password=False))
    return asker, boss


async def waiting(asker: Browser, plays, amount: int = 5) -> None:
    plays(asks(("pay_out", {"amount": amount})), says("It waits."))
    events = await asker.ask(await asker.new(), "Pay five.")
    assert uses(events) == [("pay_out", "waiting", "")]
    assert text_of(events) == "It waits."


async def first(browser: Browser) -> dict:
    return (await browser.client.get("/api/approvals")).json()["approvals"][0]


async def approve(browser: Browser, one: dict, **other):
    seen = {"fingerprint": one["fingerprint"]} | other
    return await browser.client.post(f"/api/approvals/{one['id']}/approve", json=seen)


@pytest.mark.asvs("8.2.1")
async def test_what_is_approved_runs_once_as_who_asked(office, plays, paid):
    asker, boss = office
    await waiting(asker, plays)
    assert paid == []
    one = await first(boss)
    assert one["arguments"] == {"amount": 5, "to": "Ada"}
    assert (one["title"], one["asker"], one["state"]) == ("Pay", "Ada Lovelace", "waiting")
    answers = await asyncio.gather(*(approve(boss, one) for _ in range(20)))

    assert sorted(one.status_code for one in answers) == [200] + [409] * 19
    assert paid == [(asker.someone.user_id, 5)]
    found = await first(boss)
    # Row security lets people change their own name only, so it ran as who asked.
    assert (found["state"], found["asker"]) == ("done", "Paid")
    for action in ("tool.waiting", "tool.approved", "tool.used"):
        assert len(await recorded(asker, action)) == 1
    [approved] = await recorded(asker, "tool.approved")
    assert approved.user_id == boss.someone.user_id
    [used] = await recorded(asker, "tool.used")
    assert used.user_id == asker.someone.user_id


async def test_nobody_approves_who_is_not_entitled(office, browser_of, plays, paid, app):
    asker, boss = office
    await waiting(asker, plays)
    one = await first(boss)
    # The one who asked has no right to approve, a stranger sees nothing,
    assert (await approve(asker, one)).status_code == 403
    stranger = await browser_of(await make_user(role="admin", password=False))
    assert (await stranger.client.get("/api/approvals")).json()["approvals"] == []
    assert (await approve(stranger, one)).status_code == 404
    # nor who may approve things, but not use this tool,
    role = await make_role(asker.someone.organization_id, {"tools.approve"})
    half = await browser_of(
        await make_user(asker.someone.organization_id, role=role, password=False)
    )
    assert (await half.client.get("/api/approvals")).json()["approvals"] == []
    assert (await approve(half, one)).status_code == 404
    assert (await half.client.post(f"/api/approvals/{one['id']}/decline")).status_code == 404
    # nor who has not proved lately that it is they.
    async with new_client(app) as client:
        await sign_in(client, boss.someone)
        async with db.transaction(elevated=True) as session:
            await session.execute(
                text(
                    "UPDATE sessions SET authenticated_at = now() - interval '1 hour'"
                    " WHERE user_id = :id"
                ),
                {"id": boss.someone.user_id},
            )
        answer = await approve(Browser(client, boss.someone), one)
    assert answer.json()["type"] == "/problems/prove-it-again"
    assert paid == []


async def test_what_was_shown_is_what_runs(office, plays, paid, database):
    asker, boss = office
    await waiting(asker, plays)
    one = await first(boss)
    wrong = await approve(boss, one, fingerprint="0" * 64)
    assert wrong.json()["type"] == "/problems/not-what-was-shown"
    # The app itself cannot change it,
    with pytest.raises(Exception, match="permission denied"):
        async with db.transaction(organization_id=asker.someone.organization_id) as session:
            await session.execute(text("UPDATE tool_approvals SET arguments = '{}'"))
    # and who changes it past the app finds it refused.
    import psycopg

    with psycopg.connect(database.admin) as admin:
        changed = "UPDATE tool_approvals SET arguments = '{\"amount\": 5000}' WHERE id = %s"
        admin.execute(changed, [one["id"]])
    assert (await first(boss))["arguments"] == {"amount": 5000}
    assert (await approve(boss, one)).json()["type"] == "/problems/not-what-was-shown"
    assert paid == []


async def test_the_rights_of_who_asked_are_asked_again(office, plays, paid):
    asker, boss = office
    await waiting(asker, plays)
    async with db.transaction(elevated=True) as session:
        await session.execute(
            text("UPDATE memberships SET suspended_at = now() WHERE user_id = :id"),
            {"id": asker.someone.user_id},
        )
    answer = await approve(boss, await first(boss))

    assert answer.json() == {"state": "refused", "reason": "not_permitted"}
    assert paid == []
    assert (await first(boss))["state"] == "failed"


async def test_what_is_declined_failed_or_over_never_runs(office, plays, paid, configure):
    asker, boss = office
    await waiting(asker, plays)
    one = await first(boss)
    assert (await boss.client.post(f"/api/approvals/{one['id']}/decline")).status_code == 204
    assert (await approve(boss, one)).status_code == 409
    assert (await first(boss))["state"] == "declined"

    await waiting(asker, plays, -1)
    answer = await approve(boss, await first(boss))
    assert answer.json() == {"state": "failed", "reason": "failed"}
    assert [amount for _, amount in paid] == [-1]

    await waiting(asker, plays, 7)
    one = await first(boss)
    await _age(one["id"], "expires_at")
    assert (await first(boss))["state"] == "expired"
    assert (await approve(boss, one)).status_code == 409
    await jobs.expire()
    [expired] = await recorded(asker, "tool.expired")
    assert expired.target == one["id"]
    assert [amount for _, amount in paid] == [-1]


async def test_who_dies_while_it_runs_leaves_it_told_and_never_run_again(
    office, plays, paid, monkeypatch
):
    asker, boss = office
    await waiting(asker, plays)
    one = await first(boss)

    async def die(*_):
        raise SystemExit

    person = person_of(boss.someone)
    with monkeypatch.context() as patch:
        patch.setattr(approving, "_run", die)
        with pytest.raises(SystemExit):
            await approving.approve(person, one["id"], one["fingerprint"])
    assert (await first(boss))["state"] == "running"
    assert (await approve(boss, one)).status_code == 409
    await _age(one["id"], "running_until")
    await jobs.expire()

    found = await first(boss)
    assert (found["state"], found["reason"]) == ("failed", "interrupted")
    assert (await approve(boss, one)).status_code == 409
    assert paid == []


async def test_the_same_question_waits_once_and_four_eyes_can_be_asked_for(
    browser_of, plays, paid, configure
):
    boss = await browser_of(await make_user(role="admin", password=False))
    conversation = await boss.new()
    for _ in range(2):
        plays(asks(("pay_out", {"amount": 5})), says("It waits."))
        await boss.ask(conversation, "Pay five.")
    [one] = (await boss.client.get("/api/approvals")).json()["approvals"]
    configure(TOOLS_FOUR_EYES="true")
    assert (await approve(boss, one)).json()["type"] == "/problems/your-own-request"
    configure(TOOLS_FOUR_EYES="false")
    assert (await approve(boss, one)).json()["state"] == "done"


async def test_old_ones_are_forgotten(office, plays, paid):
    asker, boss = office
    await waiting(asker, plays)
    one = await first(boss)
    await boss.client.post(f"/api/approvals/{one['id']}/decline")
    await jobs.clean_up()
    assert (await first(boss))["id"] == one["id"]
    await _age(one["id"], "created_at")
    await jobs.clean_up()
    assert (await boss.client.get(f"/api/approvals/{one['id']}")).status_code == 404


async def _age(approval_id: str, column: str) -> None:
    import os

    import psycopg

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        owner.execute("ALTER TABLE tool_approvals NO FORCE ROW LEVEL SECURITY")
        owner.execute(
            f"UPDATE tool_approvals SET {column} = {column} - %s WHERE id = %s",
            [timedelta(days=400), approval_id],
        )
        owner.execute("ALTER TABLE tool_approvals FORCE ROW LEVEL SECURITY")


async def fill(asker: Browser, waiting: int, decided: int, hours: int = 1) -> None:
    """So many that wait, each with its number as the amount, and so many that were declined."""
    rows = [("waiting", n) for n in range(waiting)] + [("declined", n) for n in range(decided)]
    async with db.transaction(organization_id=asker.someone.organization_id) as session:
        # Those of one millisecond are in no order of their own.
        for made_id, (state, amount) in zip(sorted(uuid7() for _ in rows), rows, strict=True):
            made = ToolApproval(
                id=made_id,
                organization_id=asker.someone.organization_id,
                user_id=asker.someone.user_id,
                session_id=uuid7(),
                tool="pay_out",
                arguments={"amount": amount, "to": "Ada"},
                fingerprint="f" * 64,
                state=state,
                expires_at=now() + timedelta(hours=hours),
            )
            session.add(made)
            await session.flush()


async def test_every_one_that_waits_is_found_page_by_page(office, browser_of, paid):
    asker, boss = office
    await fill(asker, waiting=120, decided=3)
    elsewhere = await browser_of(await make_user(role="reviewer", password=False))
    await fill(elsewhere, waiting=2, decided=0)

    async def walk(**asked: str | int) -> list[tuple[str, int]]:
        found, before = [], None
        for _ in range(10):
            more = {"before": before} if before else {}
            answer = (await boss.client.get("/api/approvals", params=asked | more)).json()
            found += [(one["state"], one["arguments"]["amount"]) for one in answer["approvals"]]
            before = answer["next"]
            if before is None:
                return found
        raise AssertionError("It does not end.")

    waits = [("waiting", n) for n in reversed(range(120))]
    declined = [("declined", n) for n in reversed(range(3))]
    assert await walk(show="waiting") == waits
    assert await walk(show="waiting", limit=120) == waits
    assert await walk(show="decided", limit=2) == declined
    assert await walk(limit=200) == declined + waits
    assert (await boss.client.get("/api/approvals", params={"limit": 201})).status_code == 422
    # One that waited too long is none of those that wait.
    await fill(asker, waiting=1, decided=0, hours=-1)
    assert await walk(show="waiting", limit=200) == waits
    assert await walk(show="decided") == [("expired", 0), *declined]
    member = await browser_of(await make_user(asker.someone.organization_id, password=False))
    found = await member.client.get("/api/approvals", params={"show": "waiting"})
    assert found.status_code == 403
