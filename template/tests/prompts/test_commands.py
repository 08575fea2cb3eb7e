"""What an operator types when a prompt is bad and there is no time to sign in."""

import asyncio

from typer.testing import CliRunner

from app.core import db
from app.prompts import registry, service
from app.prompts.commands import commands


def type_in(*words: str):
    # A process of its own would have a loop of its own: so has a thread.
    return asyncio.to_thread(CliRunner().invoke, commands, list(words))


async def test_one_command_brings_the_version_before_back_to_everybody(app, seeded):
    name = await seeded("First. {{today}}")
    await seeded("Second. {{today}}", name)
    await seeded("Bad. {{today}}", name)
    assert registry.live(name).number == 3
    await db.close()

    done = await type_in("rollback", name, "--because", "Answers fail")

    assert done.exit_code == 0, done.output
    assert "Version 2" in done.output
    async with asyncio.timeout(30):
        while registry.live(name).number != 2:
            await asyncio.sleep(0.01)
    async with db.transaction(elevated=True) as session:
        found = (await service.prompt(session, name)).prompt
        kept = [one.number for one in await service.versions(session, found.id)]
        (move, number), *_ = await service.moves(session, found.id)
    assert kept == [3, 2, 1], "nothing is deleted"
    assert (number, move.reason, move.gate, move.moved_by) == (2, "Answers fail", "returned", None)

    # Deploying the bad file once more does not bring it back, for a person has decided.
    await seeded("Bad. {{today}}", name)
    await seeded("Worse. {{today}}", name)
    assert registry.live(name).number == 2
    await db.close()
    assert "Version 1" in (await type_in("rollback", name, "--because", "Bad, too")).output
    last = await type_in("rollback", name, "--because", "Again")
    assert last.exit_code == 2
    assert "No version" in last.output
    shown = (await type_in("list")).output
    assert name in shown
