"""Approvals by pages, and tools in the conversation."""

import re

from tests.factories import make_user
from tests.pages import Browser
from tests.tools.conftest import asks, says
from tests.tools.test_approvals import fill
from tests.tools.test_approvals import paid as paid


async def test_what_waits_is_shown_approved_and_told_in_the_conversation(browser_of, plays, paid):
    boss = await browser_of(await make_user(role="admin", password=False))
    to = "<b>Eve</b>"
    waits, refused = ("pay_out", {"amount": 5, "to": to}), ("unheard_of", {})
    plays(asks(waits, refused), says("It waits."))
    conversation = await boss.new()
    await boss.ask(conversation, "Pay five.")
    browser = Browser(boss.client)
    chat = await browser.open(f"/chat/{conversation}")
    assert "Waits for approval" in chat.text
    page = await browser.open("/approvals")
    assert to in page.text
    assert to not in page.html
    [approve] = [one.action for one in page.forms if one.action.endswith("/approve")]
    page = await page.send(approve)
    assert "It is done." in page.text
    assert [amount for _, amount in paid] == [5]
    chat = await browser.open(f"/chat/{conversation}")
    assert "Waits for approval" not in chat.text.replace("Approvals", "").split("Pay five.")[-1]
    assert "Done: 5 paid" in chat.text


async def test_what_is_declined_is_told_and_members_do_not_look(browser_of, plays, paid):
    boss = await browser_of(await make_user(role="admin", password=False))
    plays(asks(("pay_out", {"amount": 5})), says("It waits."))
    await boss.ask(await boss.new(), "Pay five.")
    page = await Browser(boss.client).open("/approvals")
    [decline] = [one.action for one in page.forms if one.action.endswith("/decline")]
    page = await page.send(decline)
    assert "It is declined." in page.text
    assert not [one for one in page.forms if one.action.endswith("/approve")]
    assert paid == []
    member = await browser_of(
        await make_user(boss.someone.organization_id, role="member", password=False)
    )
    assert (await Browser(member.client).open("/approvals")).status == 403


async def test_what_waits_is_paged_and_what_was_decided_by_itself(browser_of, paid):
    boss = await browser_of(await make_user(role="admin", password=False))
    await fill(boss, waiting=60, decided=60)
    page = await Browser(boss.client).open("/approvals")
    assert sum(one.action.endswith("/approve") for one in page.forms) == 50
    assert page.html.count(">Declined<") == 50
    further = [
        one.replace("&amp;", "&") for one in re.findall(r'href="(/approvals\?[^"]+)"', page.html)
    ]
    waits, decided = further
    page = await Browser(boss.client).open(waits)
    assert sum(one.action.endswith("/approve") for one in page.forms) == 10
    assert page.html.count(">Declined<") == 50
    page = await Browser(boss.client).open(decided)
    assert sum(one.action.endswith("/approve") for one in page.forms) == 50
    assert page.html.count(">Declined<") == 10
    assert 'href="/approvals"' in page.html
