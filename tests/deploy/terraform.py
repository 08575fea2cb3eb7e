"""Terraform with providers that stand in for the clouds: stub/README.md."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
FOUND = shutil.which("terraform")
WHY = "terraform is not installed: nothing looked at the arguments of deploy/terraform"


STUB = HERE / "stub" / "provider.py"
SCHEMAS = sorted((HERE / "stub" / "schemas").glob("*.json"))
# Terraform's variable for providers that run already.
RUNNING = "TF_REATTACH_PROVIDERS"


@contextmanager
def providers(folder: Path) -> Iterator[Path]:
    """Terraform's settings, as `mirror` makes them. What `run` runs finds each provider running:
    Terraform would start each of them up to four times a command, which was half of all its time.
    """
    settings = mirror(folder)
    running = {}
    with ExitStack() as stack:
        # A socket's path must be short.
        sockets = Path(stack.enter_context(TemporaryDirectory()))
        for path in SCHEMAS:
            socket = sockets / path.stem
            command = [sys.executable, str(STUB), path.stem, str(socket)]
            provider = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(provider.kill)
            assert provider.stdout
            assert provider.stdout.readline(), path.stem
            running[f"registry.terraform.io/hashicorp/{path.stem}"] = {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": provider.pid,
                "Test": True,
                "Addr": {"Network": "unix", "String": str(socket)},
            }
        (folder / "running.json").write_text(json.dumps(running))
        yield settings


def mirror(folder: Path) -> Path:
    """Terraform's settings, which say that providers come from a folder; that folder beside it."""
    machine = json.loads(_run(["version", "-json"], folder).stdout)["platform"]
    for path in SCHEMAS:
        version = json.loads(path.read_text(encoding="utf-8"))["version"]
        place = folder / "mirror" / "registry.terraform.io" / "hashicorp" / path.stem / version
        binary = place / machine / f"terraform-provider-{path.stem}_v{version}"
        binary.parent.mkdir(parents=True)
        binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STUB}" {path.stem}\n')
        binary.chmod(0o755)
    settings = folder / "terraform.rc"
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{folder}/mirror" }}\n}}\n'
        "disable_checkpoint = true\n"
    )
    return settings


def run(folder: Path, settings: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    told = {"TF_CLI_CONFIG_FILE": str(settings)}
    # `init` looks into the mirror whether versions are there that will do, and asks no provider.
    if arguments[0] != "init":
        told[RUNNING] = settings.with_name("running.json").read_text()
    return _run([*arguments], folder, **told)


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
