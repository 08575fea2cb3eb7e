"""Versions, labels and files, as the API and the database show them."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.clocks import kept
from app.core import db
from app.prompts import registry
from tests.factories import make_role, make_user, sign_in

WHY = {"rationale": "Shorter answers were asked for."}


async def write(client, name, text="Be brief. {{today}}", **more):
    return await client.post(f"/api/prompts/{name}/versions", json={"text": text} | WHY | more)


async def label(client, name, number, label="live", **more):
    address = f"/api/prompts/{name}/versions/{number}/label"
    # No suite is about the prompts of these tests; tests/evals/test_gate.py shows the gate.
    return await client.put(address, json={"label": label, "reason": "For a test."} | more)


async def labels(client, name):
    found = (await client.get("/api/prompts")).json()
    return next(one["labels"] for one in found if one["name"] == name)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_version_is_written_compared_released_and_rolled_back(client, operator, seeded):
    name = await seeded("Be kind.\nIt is {{today}}.")
    assert await labels(client, name) == {"draft": 1, "candidate": 1, "live": 1}

    made = await write(client, name, "Be brief.\nIt is {{today}}.")
    assert (made.status_code, made.json()["number"]) == (201, 2)
    assert made.json()["author_id"] == str(operator.user_id)
    assert made.json()["variables"] == ["today"]
    assert await labels(client, name) == {"draft": 2, "candidate": 1, "live": 1}
    shown = (await client.get(f"/api/prompts/{name}/versions/2/diff?since=1")).json()
    assert [(one["kind"], one["text"]) for one in shown[:2]] == [
        ("removed", "Be kind."),
        ("added", "Be brief."),
    ]
    one = (await client.get(f"/api/prompts/{name}/versions/2")).json()
    assert one["cost"]["tokens"] > 3

    assert (await label(client, name, 2)).status_code == 200
    assert await labels(client, name) == {"draft": 2, "candidate": 1, "live": 2}
    back = await label(client, name, 1, reason="Too brief.")
    assert (back.status_code, back.json()["gate"]) == (200, "returned")
    assert (await labels(client, name))["live"] == 1
    moves = (await client.get(f"/api/prompts/{name}/moves")).json()
    assert [(one["version"], one["label"], one["gate"]) for one in moves[:2]] == [
        (1, "live", "returned"),
        (2, "live", moves[1]["gate"]),
    ]
    assert moves[0]["reason"] == "Too brief."
    found = (await client.get(f"/api/prompts/{name}/versions")).json()
    assert [one["number"] for one in found] == [2, 1]


async def test_every_process_notices_within_a_second_and_a_call_asks_nothing(
    client, operator, seeded
):
    """The app's beat is the one of any process: nothing here tells it that something changed."""
    name = await seeded("First. {{today}}")
    assert registry.live(name).number == 1
    await write(client, name)
    await label(client, name, 2)
    began = asyncio.get_running_loop().time()
    await until(lambda: registry.live(name).number == 2)
    # Generous, as machines under load are slow; the beat itself is half a second.
    assert asyncio.get_running_loop().time() - began < 20
    assert kept.BEAT_SECONDS <= 0.5


async def test_while_the_database_is_away_the_last_known_prompts_hold(seeded, monkeypatch):
    name = await seeded("First. {{today}}")

    async def away(*_):
        raise OSError

    monkeypatch.setattr(kept, "fetch_all", away)
    monkeypatch.setattr(kept, "BEAT_SECONDS", 0)
    beat = asyncio.create_task(kept.beat())
    await asyncio.sleep(0)
    monkeypatch.undo()
    await seeded("Second. {{today}}", name)
    await until(lambda: registry.live(name).number == 2)
    assert not beat.done()
    beat.cancel()


async def test_what_is_refused(client, operator, seeded):
    name = await seeded("First. {{today}}")
    unknown = await write(client, name, "For {{customer}}")
    assert (unknown.status_code, list(unknown.json()["errors"])) == (422, ["text"])
    assert "customer" not in unknown.text
    assert (await write(client, name, "First. {{today}}")).status_code == 409
    assert (await write(client, name, "x" * 40_001)).status_code == 422
    assert (await write(client, name, rationale=" ")).status_code == 422
    assert (await write(client, "no.such")).status_code == 404
    assert (await label(client, name, 9)).status_code == 404
    assert (await label(client, name, 1, "best")).status_code == 422


async def test_a_file_makes_a_new_version_and_leaves_what_people_released(client, operator, seeded):
    name = await seeded("First. {{today}}")
    await seeded("Second. {{today}}", name)
    assert await labels(client, name) == {"draft": 2, "candidate": 2, "live": 2}
    await seeded("Second. {{today}}", name)  # Another process with the same file.
    assert (await label(client, name, 1)).status_code == 200
    await seeded("Third. {{today}}", name)
    assert await labels(client, name) == {"draft": 3, "candidate": 3, "live": 1}


@pytest.mark.asvs("8.2.1", "8.4.1")
async def test_prompts_are_for_those_who_run_the_app(client, new_browser, operators, seeded):
    """An administrator of a customer has every permission, and none of them counts here."""
    name = await seeded("First. {{today}}")
    await sign_in(client, await make_user(role="admin", password=False), second_factor=True)
    for answer in (
        await client.get("/api/prompts"),
        await client.get(f"/api/prompts/{name}/versions/1"),
        await write(client, name),
        await label(client, name, 1),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-operator")
    author = await make_role(operators, ["prompts.read", "prompts.write"])
    async with new_browser() as other:
        await sign_in(other, await make_user(operators, role=author, password=False))
        assert (await write(other, name)).status_code == 201
        assert (await label(other, name, 2)).json()["type"] == "/problems/not-permitted"


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("app", "UPDATE prompt_versions SET text = 'x'"),
        ("app", "INSERT INTO prompt_labels SELECT * FROM prompt_labels"),
        ("app", "UPDATE prompt_labels SET version_id = version_id"),
        ("app", "DELETE FROM prompt_moves"),
        ("app_auth", "UPDATE prompt_versions SET text = 'x'"),
        ("app_auth", "DELETE FROM prompt_versions"),
        ("app_auth", "UPDATE prompt_moves SET reason = 'x'"),
        ("app_auth", "DELETE FROM prompt_moves"),
    ],
)
async def test_the_database_lets_nobody_change_what_was_written(database, role, statement):
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with db.transaction(elevated=role == "app_auth") as session:
            await session.execute(text(statement))


async def test_each_change_is_in_the_audit_log_without_its_words(client, operator, seeded):
    name = await seeded("First. {{today}}")
    await write(client, name, "A text nobody logs. {{today}}")
    await label(client, name, 2, reason="A reason nobody logs.")
    async with db.transaction(organization_id=operator.organization_id) as session:
        rows = await session.execute(
            text(
                "SELECT action, user_id, detail FROM audit_events WHERE target = :name"
                " AND user_id IS NOT NULL ORDER BY sequence"
            ),
            {"name": name},
        )
        [written, released] = rows.all()
    assert (written.action, released.action) == ("prompt.written", "prompt.released")
    assert released.user_id == operator.user_id
    assert (released.detail["version"], released.detail["label"]) == (2, "live")
    assert "nobody logs" not in str((written.detail, released.detail))
