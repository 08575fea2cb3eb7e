"""A command without its database says so in a sentence."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner

from app.cli import add_modules, cli, main
from app.core.commands import reason
from app.core.errors import NotFound
from app.core.settings import ROOT, ModuleSettings, Settings
from app.llm.settings import LLMSettings


def test_what_is_no_fault_of_the_code_is_a_sentence_and_the_rest_is_not() -> None:
    missing = ProgrammingError("SELECT", {}, psycopg.errors.UndefinedTable("users"))
    assert "app db upgrade" in reason(missing)
    assert reason(psycopg.OperationalError("refused\nIs it running?")).endswith(": refused")
    assert reason(NotFound("There is no account.")) == "There is no account."
    assert reason(KeyError("x")) == ""
    assert reason(OSError("no file of anyone")) == ""


def test_a_setting_that_is_refused_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "abc-secret")
    monkeypatch.setenv("LLM_PROVIDER", "nonsense")
    monkeypatch.setenv("UNENCRYPTED_HOSTS", "abc-secret")

    def told(kind: type[ModuleSettings]) -> str:
        with pytest.raises((ValidationError, SettingsError)) as caught:
            kind()
        return reason(caught.value)

    assert told(LLMSettings) == "LLM_PROVIDER names a provider that this project lacks"
    assert 'field "unencrypted_hosts"' in told(Settings)
    assert told(Settings).endswith('Write it as JSON, such as ["one", "two"].')
    monkeypatch.delenv("UNENCRYPTED_HOSTS")
    assert told(Settings).startswith("TRUSTED_PROXIES: Input should be a valid integer")
    assert "secret" not in told(Settings)
    with pytest.raises(ValidationError) as caught:
        UUIDs.model_validate({"one": "x"})
    assert reason(caught.value) == "", "what is no setting is a fault of the code"


class UUIDs(BaseModel):
    one: UUID


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


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["--port", "99999"], {}),
        (["--port", "0"], {}),
        (["--workers", "0"], {}),
        ([], {"PORT": "-1"}),
        ([], {"WEB_WORKERS": "-1"}),
    ],
)
def test_a_port_or_a_number_of_workers_that_cannot_be_is_refused_at_once(
    words: list[str], environment: dict[str, str]
) -> None:
    """A server with such a port waited for ever, and could not be told to stop."""
    done = CliRunner().invoke(cli, ["serve", *words], env=environment)
    assert done.exit_code == 2
    assert "equal to" in " ".join(done.output.split())


def test_what_is_typed_in_another_encoding_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = os.fsdecode(b"caf\xe9@example.com")
    monkeypatch.setattr(sys, "argv", ["app", "reset-factors", typed])
    with pytest.raises(SystemExit, match=r"This is not UTF-8: .caf.udce9@example.com"):
        main()


@pytest.mark.parametrize(
    "words",
    [
        ["capacity", "plan", "--people", "99999999999999999999"],
        ["capacity", "plan", "--result", "."],
        ["evals", "run", "--version", "99999999999999999999"],
        ["evals", "run", "--version", "-1"],
    ],
)
def test_a_number_or_a_file_that_cannot_be_is_refused_before_any_work(words: list[str]) -> None:
    add_modules(words)
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert "Invalid value" in done.output


@pytest.mark.parametrize(
    ("where", "why"),
    [("", "File exists"), ("taken", "File exists"), ("not/there", "No such file or directory")],
)
def test_a_file_that_cannot_be_written_is_named_with_the_reason(
    where: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    path = tmp_path / where
    monkeypatch.setattr(sys, "argv", ["app", "backup", "new-key", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == f"{path}: {why}."
    assert (tmp_path / "taken").read_text("utf-8") == "mine"
