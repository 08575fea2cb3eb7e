"""A command without its database says so in a sentence."""

import os
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy.exc import ProgrammingError

from app.core.commands import reason
from app.core.errors import NotFound
from app.core.settings import ROOT


def test_what_is_no_fault_of_the_code_is_a_sentence_and_the_rest_is_not() -> None:
    missing = ProgrammingError("SELECT", {}, psycopg.errors.UndefinedTable("users"))
    assert "app db upgrade" in reason(missing)
    assert reason(psycopg.OperationalError("refused\nIs it running?")).endswith(": refused")
    assert reason(NotFound("There is no account.")) == "There is no account."
    assert reason(KeyError("x")) == ""


@pytest.mark.dear
def test_nobody_at_the_terminal_meets_a_traceback() -> None:
    nowhere = {"APP_ENV": "development", "DATABASE_URL": "postgresql://app:x@127.0.0.1:1/app"}
    command = [sys.executable, "-m", "app.cli", "reset-factors", "ada@example.com"]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | nowhere, capture_output=True, text=True, timeout=120
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("The database does not answer: ")
    assert "Traceback" not in ended.stdout + ended.stderr
    assert len(ended.stderr.splitlines()) == 1
