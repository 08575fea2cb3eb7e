"""Drill: the clock of one process is two minutes ahead of the others.

Expected: a session made on one is good on the other, both ways, answers are given on both, and the
audit log of both together is whole.
"""

import pytest

from app.audit.verification import verify
from app.core import db
from tests.asking import text_of
from tests.llm.wire_server import WORDS

pytestmark = pytest.mark.slow


async def test_clock_skew(start, enter):
    right, ahead = await start(), await start(CLOCK_AHEAD="120")
    for there, other in ((right, ahead), (ahead, right)):
        browser = await enter(there)
        conversation = await browser.new()
        elsewhere = await enter(other, browser)
        assert text_of(await elsewhere.ask(conversation, "Who are you?")) == "".join(WORDS)
        assert text_of(await browser.ask(conversation, "Who are you?")) == "".join(WORDS)
        roles = [role for role, _, _ in await browser.said(conversation)]
        assert roles == ["user", "assistant"] * 2
        async with db.transaction(organization_id=browser.someone.organization_id) as session:
            report = await verify(session, browser.someone.organization_id)
        assert report.sound
