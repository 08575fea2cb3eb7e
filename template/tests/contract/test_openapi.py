"""The API does what /api/openapi.json says, whoever asks and whatever they send.

Some minutes, so only `make contract` runs it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.modules import has

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = os.environ.get("CONTRACT_EXAMPLES", "10")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
)


# Beside sessions the bearer credentials of modules; a directory's token opens nothing of this API.
WHO = ["nobody", "member", "reviewer", "admin"]
BEARERS = {"key": "api_keys", "token": "tokens", "directory": "scim"}
EVERYONE = [*WHO, *(kind for kind, module in BEARERS.items() if has(module))]


@pytest.mark.slow
@pytest.mark.parametrize("who", os.environ.get("CONTRACT_WHO", " ".join(EVERYONE)).split())
def test_no_call_fails_or_answers_what_is_not_described(address: str, who: str) -> None:
    hooks = {} if who == "nobody" else {"SCHEMATHESIS_HOOKS": "tests.contract.sign_in"}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{address}/api/openapi.json", "--checks", ",".join(CHECKS)),
            *("--phases", "coverage,fuzzing,stateful", "--max-examples", EXAMPLES),
            *("--seed", "1"),
        ],
        cwd=ROOT,
        env=os.environ | {"CONTRACT_AS": who, "PYTHONPATH": str(ROOT)} | hooks,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-3000:]
