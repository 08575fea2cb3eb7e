"""Terraform with providers that stand in for the clouds: stub/README.md."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOUND = shutil.which("terraform")
WHY = "terraform is not installed: nothing looked at the arguments of deploy/terraform"


def mirror(folder: Path) -> Path:
    """Terraform's settings, which say that providers come from a folder; that folder beside it."""
    machine = json.loads(_run(["version", "-json"], folder).stdout)["platform"]
    for path in sorted((HERE / "stub" / "schemas").glob("*.json")):
        version = json.loads(path.read_text(encoding="utf-8"))["version"]
        place = folder / "mirror" / "registry.terraform.io" / "hashicorp" / path.stem / version
        binary = place / machine / f"terraform-provider-{path.stem}_v{version}"
        binary.parent.mkdir(parents=True)
        stub = HERE / "stub" / "provider.py"
        binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stub}" {path.stem}\n')
        binary.chmod(0o755)
    settings = folder / "terraform.rc"
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{folder}/mirror" }}\n}}\n'
        "disable_checkpoint = true\n"
    )
    return settings


def run(folder: Path, settings: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return _run([*arguments], folder, TF_CLI_CONFIG_FILE=str(settings))


def prepared(folder: Path, settings: Path) -> None:
    """State stays in the folder; the bucket of the real one is not there."""
    if (folder / "environments").exists():
        (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    done = run(folder, settings, "init", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr


def _run(
    arguments: list[str], folder: Path, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [FOUND or "terraform", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"} | environment,
    )
