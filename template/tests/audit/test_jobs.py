import logging

import pytest

from app.audit import jobs
from app.core.logging import redact
from app.jobs.queue import SCHEDULES

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


async def test_anchors_go_to_the_log_stream_unharmed(five_events, lines):
    await jobs.anchor()

    (line,) = [text for text in lines.messages if str(five_events) in text]
    assert "audit.anchored" in line
    assert redact(line) == line  # a masked hash would prove nothing


async def test_the_nightly_look_raises_an_alarm(five_events, tamper, lines):
    # Of the logs that other tests have left there are thousands.
    for table in ("audit_anchors", "audit_heads", "audit_events"):
        await tamper.execute(f"DELETE FROM {table} WHERE organization_id <> %s", [five_events])
    await jobs.look_over()
    assert not [text for text in lines.messages if str(five_events) in text]
    await tamper.execute(
        "UPDATE audit_events SET action = 'test.harmless'"
        " WHERE organization_id = %s AND sequence = 2",
        [five_events],
    )

    await jobs.look_over()

    (line,) = [text for text in lines.messages if str(five_events) in text]
    assert "audit.tampered" in line
    assert "Event 2 was changed." in line


def test_both_run_by_the_clock():
    assert ("audit.anchor", "*/5 * * * *") in SCHEDULES
    assert "audit.verify" in dict(SCHEDULES)
