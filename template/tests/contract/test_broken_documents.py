"""Many broken files of each kind, each in a process of its own: some minutes."""

import os

import pytest

from app.documents import reasons
from tests.documents.test_hostile_files import FUZZED, fuzz


@pytest.mark.slow
@pytest.mark.parametrize("kind", FUZZED)
async def test_broken_files_of_each_kind_are_read_or_refused_by_name(kind):
    found = await fuzz(kind, int(os.environ.get("BROKEN_FILES", "200")))
    assert found <= {"ready", *reasons.REASONS}
    assert "ready" in found or kind in {"docx", "csv"}
