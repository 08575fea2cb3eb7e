import asyncio
import json
import sys
from pathlib import Path
from uuid import UUID

import pytest

from app.audit import chain
from app.audit.jobs import anchor_heads
from app.core.db import transaction
from app.core.settings import ROOT

pytestmark = [pytest.mark.dear, pytest.mark.usefixtures("app")]


async def verify(*options: str) -> tuple[int, str]:
    """Run `app audit verify` as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli", "audit", "verify", *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_a_sound_log_passes(five_events):
    status, output = await verify("--organization", str(five_events))

    assert status == 0, output
    assert f"{five_events}  5 events  sound" in output


async def test_a_changed_log_fails(five_events, tamper):
    await tamper.execute(
        "UPDATE audit_events SET action = 'test.harmless'"
        " WHERE organization_id = %s AND sequence = 2",
        [five_events],
    )

    status, output = await verify()

    assert status == 1
    assert "TAMPERED WITH" in output
    assert "Event 2 was changed." in output


async def test_anchors_of_the_log_stream_are_believed(five_events, tamper, tmp_path: Path):
    async with transaction(elevated=True) as db:
        anchors = await anchor_heads(db)
    lines = [{"event": "request"}, *({"event": "audit.anchored"} | chain.told(a) for a in anchors)]
    log = tmp_path / "app.log"
    log.write_text("".join(f"web-1  | {json.dumps(line)}\n" for line in lines), encoding="utf-8")
    await wipe(tamper, five_events)

    blind, told = await verify("--organization", str(five_events))
    status, output = await verify("--anchors", str(log))

    assert (blind, told.split("  ")[1:]) == (1, ["0 events", "nothing to verify\n"])
    assert status == 1
    assert "Events 1 to 5 are missing." in output


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "There is no anchor in"),
        (b"\xff\xfe" * 100 + b'{"event": "request"}\n', "There is no anchor in"),
        (b'{"event": "audit.anchored", "sequ', "Line 1 of"),
        (b'\n{"event": "audit.anchored"}\n', "Line 2 of"),
        (b'["audit.anchored"]\n', "Line 1 of"),
    ],
)
async def test_a_file_that_proves_nothing_is_no_proof(content, sentence, tmp_path: Path):
    """The wrong file, an empty one, or a line cut in the middle passed or was a traceback."""
    log = tmp_path / "app.log"
    log.write_bytes(content)
    status, output = await verify("--anchors", str(log))

    assert status == 1
    assert output.startswith(sentence)
    assert len(output.splitlines()) == 1


async def wipe(tamper, organization_id: UUID) -> None:
    for table in ("audit_events", "audit_heads", "audit_anchors"):
        await tamper.execute(f"DELETE FROM {table} WHERE organization_id = %s", [organization_id])
