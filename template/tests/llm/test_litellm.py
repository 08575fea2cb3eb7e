"""The app through a real LiteLLM server, to a provider that misbehaves.

It needs an environment of its own, 560 MB, and half a minute to start:

    uv venv .local/litellm && uv pip install -p .local/litellm --no-deps --require-hashes \\
        -r deploy/litellm/requirements.txt
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import yaml

from app.llm import errors, http
from tests.conftest import ROOT, free_port
from tests.factories import make_user
from tests.llm.caller import Caller
from tests.llm.wire_server import WORDS, Behaviour, WireServer
from tests.usage.conftest import person_of

PROGRAM = Path(os.environ.get("LITELLM", ROOT / ".local" / "litellm" / "bin" / "litellm"))
# It ends when the key looks as if somebody had made it up.
MASTER_KEY = f"sk-{secrets.token_urlsafe(36)}"
PROVIDER_KEY = "sk-live-" + "T4xkQ29fLmZ7vWc8RbN3yHs6Jd1G"

pytestmark = pytest.mark.dear


@pytest.fixture
async def litellm(wire_server: WireServer, tmp_path: Path) -> AsyncIterator[str]:
    """Its address; behind it answers the server that misbehaves when told to."""
    if not PROGRAM.exists():
        pytest.skip(f"LiteLLM is not installed at {PROGRAM}; see this file.")
    config = yaml.safe_load((ROOT / "deploy" / "litellm" / "config.yaml").read_text("utf-8"))
    # Any provider, played by ours.
    config["model_list"][0]["litellm_params"] = {
        "model": "openai/*",
        "api_key": "os.environ/PROVIDER_API_KEY",
        "api_base": wire_server.url,
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "--config", tmp_path / "config.yaml", "--host", "127.0.0.1"),
        *("--port", str(port), "--telemetry", "False"),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LITELLM_MASTER_KEY": MASTER_KEY,
            "PROVIDER_API_KEY": PROVIDER_KEY,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "NO_DOCS": "True",
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient() as client, asyncio.timeout(180):
            while True:
                assert process.returncode is None
                try:
                    await client.get(f"{address}/health/liveliness")
                    break
                except httpx2.TransportError:
                    await asyncio.sleep(0.5)
        yield f"{address}/v1"
        await http.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_calls_go_through_it_and_what_goes_wrong_behind_it_is_told(
    app, litellm, wire_server, configure
):
    configure(
        LLM_PROVIDER="compatible",
        LLM_BASE_URL=litellm,
        LLM_MODEL="m",
        LLM_API_KEY=MASTER_KEY,
        LLM_RETRIES=0,
        LLM_BREAKER_FAILURES=0,
    )
    caller = Caller(person_of(await make_user(password=False)))
    shown, done = await caller.ask()
    assert shown == "".join(WORDS)
    assert (done.usage.input_tokens, done.usage.output_tokens) == (20, 10)
    received = wire_server.requests[-1]
    assert received.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert MASTER_KEY not in str(received)
    assert received.body["model"] == "m"

    for behaviour, problem in (
        ({"status": 429}, errors.ModelThrottled),
        ({"status": 500}, errors.ModelDown),
        ({"status": 401}, errors.KeyRefused),
        ({"cut_after": 5, "gap": 0.02}, errors.AnswerCut),
    ):
        before = len(wire_server.requests)
        wire_server.behaviour = Behaviour(**behaviour)
        await caller.refused(problem)
        assert len(wire_server.requests) == before + 1, f"{behaviour}: it repeats by itself"

    wire_server.behaviour = Behaviour()
    configure(LLM_API_KEY="sk-not-this-one")
    await caller.refused(errors.KeyRefused)
    assert await caller.reserved() == 0
    assert {one.state for one in await caller.entries()} <= {"settled", "released"}
