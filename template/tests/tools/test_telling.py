"""Those who may approve learn that something waits, and who asked what became of it."""

from app.core import db
from app.mail import service as mail
from tests.factories import make_organization, make_role, make_user
from tests.subjects import about
from tests.tools.conftest import asks, says
from tests.tools.test_approvals import approve, first, office, paid, waiting

__all__ = ["office", "paid"]


async def letters(browser) -> list[tuple[str, str]]:
    async with db.transaction(elevated=True) as session:
        found = await mail.inbox(session, browser.someone.email)
    return [(one.subject, one.body) for one in found]


async def uses_of(browser, conversation) -> list[dict]:
    return (await browser.messages(conversation))[-1]["metadata"]["tools"]


async def test_who_may_approve_is_told_and_nobody_else(office, browser_of, plays, paid):
    asker, boss = office
    organization = asker.someone.organization_id
    role = await make_role(organization, {"tools.approve"})  # but may not use the tool
    half = await browser_of(await make_user(organization, role=role, password=False))
    stranger = await browser_of(await make_user(await make_organization(), role="admin"))
    await waiting(asker, plays, amount=71)
    [(subject, body)] = await letters(boss)
    assert "something waits for your approval" in subject
    assert "do this for Ada Lovelace: Pay." in body
    assert "/approvals" in body
    assert "71" not in body
    for other in (asker, half, stranger):
        assert await letters(other) == []
    # A model that asks again and again fills no inbox.
    await waiting(asker, plays, amount=72)
    assert len(await letters(boss)) == 1


async def test_a_conversation_shows_what_became_of_it(office, plays, paid):
    asker, boss = office
    conversations = []
    for amount, decide in ((5, "approve"), (6, "decline"), (-1, "approve")):
        plays(asks(("pay_out", {"amount": amount})), says("It waits."))
        conversation = await asker.new()
        await asker.ask(conversation, "Pay.")
        [use] = await uses_of(asker, conversation)
        assert use["state"] == "waiting"
        if decide == "approve":
            assert (await approve(boss, await first(boss))).status_code == 200
        else:
            path = f"/api/approvals/{use['approval_id']}/decline"
            assert (await boss.client.post(path)).status_code == 204
        conversations.append(conversation)
    [done], [declined], [failed] = [await uses_of(asker, one) for one in conversations]
    assert (done["state"], done["result"]) == ("done", "5 paid")
    assert (declined["state"], "result" in declined) == ("declined", False)
    assert (failed["state"], failed["reason"]) == ("failed", "failed")

    told = [about(subject) for subject, _ in await letters(asker)]
    assert sorted(told) == [
        "Pay: approved and done",
        "Pay: approved, but it failed",
        "Pay: declined",
    ]
    assert all("5 paid" not in body for _, body in await letters(asker))
