"""Lists go by the ids of their rows, so these must tell which came first."""

import time
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from app.core.ids import born, uuid7


def test_of_two_of_one_millisecond_the_later_sorts_later():
    made = []
    for _ in range(2000):
        made.append(uuid7())
        until = time.time_ns() + 2_000
        while time.time_ns() < until:
            pass
    assert made == sorted(made)
    assert len({one.int >> 80 for one in made}) < len(made), "None shared a millisecond."


def test_they_are_version_7_and_tell_when_they_were_made():
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = [uuid7() for _ in range(1000)]
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}
    assert all(before <= born(one) <= datetime.now(UTC) for one in made)
    # What is random is: no two are alike in the bits that no clock sets.
    assert len({one.int & (1 << 62) - 1 for one in made}) == len(made)
