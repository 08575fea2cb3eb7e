"""The API does what /api/openapi.json says, whoever asks and whatever they send.

Some minutes, so only `make contract` runs it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["nobody", "member", "reviewer", "admin"])
def test_no_call_fails_or_answers_what_is_not_described(address: str, role: str) -> None:
    hooks = {} if role == "nobody" else {"SCHEMATHESIS_HOOKS": "tests.contract.sign_in"}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{address}/api/openapi.json", "--checks", ",".join(CHECKS)),
            *("--phases", "coverage,fuzzing,stateful", "--max-examples", "10", "--seed", "1"),
        ],
        cwd=ROOT,
        env=os.environ | {"CONTRACT_ROLE": role, "PYTHONPATH": str(ROOT)} | hooks,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-3000:]
