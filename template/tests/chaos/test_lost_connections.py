"""The database goes away at each statement of a turn, in each way in which it can."""

import asyncio

import pytest

from app.llm import circuit, settling
from tests.chaos.database_proxy import WAYS
from tests.llm.wire_server import WORDS

MOST = 40
"""More pieces than a turn sends to the database."""


@pytest.mark.dear
@pytest.mark.parametrize("way", WAYS)
async def test_a_turn_survives_the_loss_of_its_connection_at_each_statement(asker, proxy, way):
    at = 0
    for at in range(1, MOST):
        conversation = await asker.browser.new()
        proxy.break_at(at, way)
        told = await asker.tell(conversation, key="once")
        was_broken = proxy.broke.is_set()
        proxy.break_at(0, way)
        await circuit.settled()
        # Whatever it was, sent again with its key the question has one answer, and has it now.
        for _ in range(3):  # Each of the two pools may have to find it out.
            again = await asker.tell(conversation, key="once")
            if again.done:
                break
            assert again.error["status"] == 503, f"{way} at {at}: {again.error}"
        for _ in range(3):  # So may this one, when a clock met the loss after the turn was over.
            found = await asker.browser.client.get(f"/api/conversations/{conversation}")
            if found.status_code != 503:
                break
        said = await asker.browser.said(conversation)
        assert [one[0] for one in said] == ["user", "assistant"], f"{way} at {at}"
        assert said[1][1:] == ("".join(WORDS), "complete")
        if told.done:
            assert told.text == said[1][1]
        else:
            assert told.error["status"] in {503}, f"{way} at {at}: {told.error}"
        await asker.looks_whole(conversation, again)
        if not was_broken:
            break
    assert 4 < at < MOST


@pytest.mark.dear
async def test_a_database_that_falls_silent_while_a_turn_is_settled_loses_nothing(
    asker, proxy, monkeypatch
):
    monkeypatch.setattr(settling, "SECONDS_PER_TRY", 0.5)
    conversation = await asker.browser.new()
    proxy.break_at(0, "silence", b"usage_settle")
    async with asyncio.timeout(30):
        told = await asker.tell(conversation)

    assert proxy.broke.is_set()
    assert told.text == "".join(WORDS)
    assert told.done
    await asker.looks_whole(conversation, told)
