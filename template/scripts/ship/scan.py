"""Mistakes that can be seen without running anything: `make scan`, which gates.

scan.py [code|secrets|images|infrastructure|workflows] ...
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import tools

# Three that ruff's rules of the same kind see in `make lint`, with a reason at each exception.
BANDIT = ("--quiet", "--recursive", "-ll", "--skip", "B108,B701,B704", "app")
# What guesses by entropy cries at every digest; these know the shapes of keys.
GUESSING = (
    "Base64HighEntropyString",
    "HexHighEntropyString",
    "KeywordDetector",
    "BasicAuthDetector",
)
# Made-up secrets, for guards that must find them.
MADE_UP = ("tests/", "evals/")
# Checks that do not fit, each for a reason:
NOT_OURS = {
    "CKV_K8S_43": "the digest is given at release; the chart refuses a release without a build",
    "CKV_K8S_35": "settings are read from the environment, on every host alike",
    "CKV_K8S_8": "a worker and a job listen to nobody, so there is nothing to ask",
    "CKV_K8S_9": "a worker and a job listen to nobody, so there is nothing to ask",
    "CKV_K8S_15": "a digest is always the same image",
    "CKV_K8S_40": "the scanner's image has its own number",
    "CKV_K8S_21": "the namespace is the release's",
    "CKV2_K8S_6": "policies select by instance, which it does not follow",
}


# Of clouds, what no decision may take away: nothing public that holds data, encrypted, backed up,
# and nobody who may do everything. The rest is a matter of cost, and Terraform's own tests'.
# CKV_GCP_6 is not here: beside TLS it asks for clients' certificates, and the app has a password.
MUST_HOLD = (
    "CKV_AWS_16", "CKV_AWS_17", "CKV_AWS_133", "CKV_AWS_293", "CKV_AWS_53", "CKV_AWS_54",
    "CKV_AWS_55", "CKV_AWS_56", "CKV_AWS_24", "CKV_AWS_25", "CKV_AWS_62", "CKV_AWS_63",
    "CKV_AWS_103", "CKV_AWS_7", "CKV_AWS_37", "CKV_AWS_38", "CKV_AWS_58",
    "CKV_GCP_11", "CKV_GCP_14", "CKV_GCP_28", "CKV_GCP_114", "CKV_GCP_41", "CKV_GCP_49",
    "CKV_GCP_7", "CKV_GCP_13", "CKV_GCP_18", "CKV_GCP_20", "CKV_GCP_25", "CKV_GCP_43",
    "CKV_GCP_64", "CKV_GCP_70",
    "CKV_AZURE_59", "CKV_AZURE_44", "CKV_AZURE_5", "CKV_AZURE_6", "CKV_AZURE_7", "CKV_AZURE_141",
    "CKV_AZURE_143", "CKV_AZURE_9", "CKV_AZURE_10", "CKV_AZURE_42", "CKV_AZURE_110",
)  # fmt: skip


def code() -> Iterator[list[str]]:
    yield tools.command("bandit", *BANDIT)


def secrets() -> Iterator[list[str]]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=tools.ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    files = [one for one in listed if not one.startswith(MADE_UP) and (tools.ROOT / one).is_file()]
    off = [word for name in GUESSING for word in ("--disable-plugin", name)]
    yield tools.command("detect-secrets-hook", *off, *files)


def images() -> Iterator[list[str]]:
    yield tools.command("hadolint", "Dockerfile")


def infrastructure() -> Iterator[list[str]]:
    checkov = ("--compact", "--quiet", "--skip-download", "--directory")
    if (tools.ROOT / "deploy" / "terraform").exists():
        yield tools.command("checkov", "--framework", "terraform", "--check", ",".join(MUST_HOLD),
                            *checkov, "deploy/terraform")  # fmt: skip
    if (tools.ROOT / "deploy" / "chart").exists():
        yield tools.command("helm", "lint", "--strict", "deploy/chart")
        # Rendered first: where it finds no Helm, checkov passes over charts without a word.
        build = f"image.digest=sha256:{'0' * 64},entry.targetGroup=arn,entry.firewall=armour"
        yield tools.command("helm", "template", "app", "deploy/chart", "--namespace", "app",
                            "--set", build, "--output-dir", "build/chart")  # fmt: skip
        yield tools.command("checkov", "--framework", "kubernetes", "--skip-check",
                            ",".join(NOT_OURS), *checkov, "build/chart")  # fmt: skip


def workflows() -> Iterator[list[str]]:
    if (tools.ROOT / ".github").exists():
        yield tools.command("zizmor", "--offline", "--quiet", ".github")


KINDS = {one.__name__: one for one in (code, secrets, images, infrastructure, workflows)}


def main() -> None:
    if unknown := set(sys.argv[1:]) - set(KINDS):
        sys.exit(f"{', '.join(sorted(unknown))}: no such scan; there are {', '.join(KINDS)}.")
    failed = []
    for name in sys.argv[1:] or KINDS:
        for command in KINDS[name]():
            print(f"-- {name}: {command[command.index('--from') + 1]}", flush=True)
            if subprocess.run(command, cwd=tools.ROOT, check=False).returncode:
                failed.append(name)
    if failed:
        sys.exit(f"Found something: {', '.join(failed)}")


if __name__ == "__main__":
    main()
