"""A process that is killed while a model answers: nothing is lost that was told, nothing leaks."""

import asyncio
import os
import sys

import httpx2
import orjson
import pytest
from sqlalchemy import text

from app.core import migrate
from app.usage.jobs import sweep
from tests.chaos.invariants import the_books_balance
from tests.conftest import ROOT, free_port
from tests.llm.wire_server import WORDS, Behaviour

SERVER = """
import sys, uvicorn
from app.main import create_app
uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""
# What a job does: it asks for an organisation, with nobody there to read.
WORKER = """
import asyncio, sys
from uuid import UUID
from app.users import operators
from app.llm import gateway
from app.llm.port import Ask, Message
person = operators.machine(UUID(sys.argv[1]))
asyncio.run(gateway.complete(person, Ask([Message("user", "Who are you?")], feature="test")))
"""
HELD = "SELECT count(*) FROM usage_records WHERE state = 'reserved' AND organization_id = :id"
# As if all the time had passed that a call and its end may take.
LATER = """
    UPDATE usage_records SET expires_at = now() WHERE organization_id = :id;
    UPDATE conversations SET answering_until = now() WHERE organization_id = :id
"""

pytestmark = pytest.mark.dear


async def started(script: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, *arguments), cwd=ROOT, env=os.environ
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def time_passes(asker, admin_url: str) -> None:
    """Until then what the dead process had set aside is held back; then it is given back."""
    organization = asker.browser.someone.organization_id
    with migrate.connected(admin_url) as connection:
        assert connection.scalar(text(HELD), {"id": organization}) == 1
        for one in LATER.split(";"):
            connection.execute(text(one), {"id": organization})
        connection.commit()
    await sweep()
    counted = await the_books_balance(organization)
    assert counted.open == 0


async def test_a_server_killed_in_the_middle_of_an_answer(asker, model, database):
    model.behaviour = Behaviour(words=WORDS * 1000, gap=0.01)
    conversation = await asker.browser.new()
    port = free_port()
    process = await started(SERVER, str(port))
    try:
        cookies = "; ".join(f"{k}={v}" for k, v in asker.browser.client.cookies.items())
        headers = asker.browser.client.headers | {"Cookie": cookies, "Idempotency-Key": "once"}
        shown = await killed_while_reading(process, port, conversation, headers)
    finally:
        if process.returncode is None:
            await kill(process)
    async with asyncio.timeout(60):
        await model.aborted.wait()

    # The question is kept; a second one waits no longer than a call may take.
    assert "word0" in shown
    assert [one[0] for one in await asker.browser.said(conversation)] == ["user"]
    assert (await asker.tell(conversation, key="once")).problem["status"] == 409
    await time_passes(asker, database.admin)
    model.behaviour = Behaviour()
    told = await asker.tell(conversation, key="once")
    assert told.text == "".join(WORDS)
    await asker.looks_whole(conversation, told)
    assert [one[0] for one in await asker.browser.said(conversation)] == ["user", "assistant"]


async def killed_while_reading(process, port: int, conversation: str, headers) -> str:
    address = f"http://127.0.0.1:{port}"
    shown = ""
    async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
        async with asyncio.timeout(120):
            while True:
                assert process.returncode is None
                try:
                    await client.get("/health/live")
                    break
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
        try:
            async with client.stream(
                "POST",
                f"/api/conversations/{conversation}/messages",
                content=orjson.dumps({"text": "Who are you?"}),
                headers={"Content-Type": "application/json"},
            ) as response:
                assert response.status_code == 200
                async for line in response.aiter_lines():
                    shown += line
                    if "word1" in line:
                        process.kill()
        except httpx2.TransportError:
            pass
        else:
            pytest.fail("The answer came to its end.")
    await process.wait()
    return shown


async def test_a_worker_killed_while_a_model_answers(asker, model, database):
    model.behaviour = Behaviour(words=WORDS * 1000, gap=0.01)
    process = await started(WORKER, str(asker.browser.someone.organization_id))
    try:
        async with asyncio.timeout(120):
            while not model.requests:
                assert process.returncode is None
                await asyncio.sleep(0.05)
    finally:
        if process.returncode is None:
            await kill(process)
    await time_passes(asker, database.admin)
