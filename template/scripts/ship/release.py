"""Build, sign, deploy, take back: what a pipeline and a person at night both type.

    release.py image  REPOSITORY TAG       build and push; writes build/image.txt
    release.py sign   IMAGE                sign without a key, as who runs this
    release.py deploy ENVIRONMENT IMAGE    IMAGE is REPOSITORY@sha256:…, and our pipeline signed it
    release.py promote ENVIRONMENT         let everybody have what stands beside
    release.py rollback ENVIRONMENT [IMAGE]

Where to is in app/answers.toml. `DRY=1` prints the commands and runs none.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).absolute().parents[2]
BUILD = Path("build")
ENVIRONMENTS = ("staging", "production")
# One tells the other versions' pods when it is done; Helm itself waits for Deployments only.
MINUTES = "45m"
# Until the controller has seen what was asked of it and waits for a yes, or needs none.
SETTLED = (
    'until kubectl get rollout "$@" --output '
    "jsonpath='{.metadata.generation} {.status.observedGeneration} {.status.phase}'"
    " | awk '$1 == $2 && /(Paused|Healthy|Degraded)$/ {met = 1} END {exit !met}'; do sleep 2; done"
)

# Who signs says that the list of contents and the provenance are there: the digest covers both.
DESCRIBED = (
    "for one in SBOM:SPDX Provenance:SLSA; do"
    ' docker buildx imagetools inspect "$1" --format "{{json .${one%:*}}}" | grep -q "${one#*:}" ||'
    ' { echo "$1 has no ${one%:*} beside it: not signed" >&2; exit 1; }; done'
)

Commands = list[list[str]]


def main(words: list[str]) -> None:
    os.chdir(ROOT)
    answers = tomllib.loads((ROOT / "app" / "answers.toml").read_text(encoding="utf-8"))
    action, *rest = words or [""]
    if action == "image":
        return image(*rest)
    if action == "sign":
        (named,) = map(digested, rest)
        return run([["sh", "-c", DESCRIBED, "sh", named], ["cosign", "sign", "--yes", named]])
    if action not in ("deploy", "promote", "rollback") or not rest or rest[0] not in ENVIRONMENTS:
        sys.exit(__doc__)
    image_name = rest[1] if rest[1:] else ""
    # Whoever names an image, also one to go back to, may name one that nobody here made.
    named = action == "deploy" or (action == "rollback" and image_name)
    # At night, when the registry or Sigstore is down: typed by hand, and no pipeline sets it.
    waived = action == "rollback" and os.environ.get("UNVERIFIED") == "yes"
    checks = verification(image_name) if named and not waived else []
    return run(checks + commands(answers, action, rest[0], image_name))


def run(steps: Commands) -> None:
    for step in steps:
        print("+", *step, flush=True)
        if not os.environ.get("DRY") and (code := subprocess.run(step, check=False).returncode):
            sys.exit(code)


def image(repository: str, tag: str) -> None:
    BUILD.mkdir(exist_ok=True)
    told = BUILD / "image.json"
    run([
        ["docker", "buildx", "build", "--push", "--tag", f"{repository}:{tag}",
         # What is in it and how it was made, beside the image in the registry.
         "--sbom=true", "--provenance=mode=max", "--metadata-file", str(told), "."],
    ])  # fmt: skip
    if not os.environ.get("DRY"):
        digest = json.loads(told.read_text())["containerimage.digest"]
        (BUILD / "image.txt").write_text(f"{repository}@{digest}\n")


def digested(image: str) -> str:
    """Refuse a name that may mean another image tomorrow."""
    if "@sha256:" not in image:
        sys.exit(f"{image or 'IMAGE'}: name it by digest, as in build/image.txt")
    return image


def verification(image: str) -> Commands:
    """That the pipeline of a tag of this project made it; its list of contents is signed, too."""
    named, known = digested(image), os.environ.get
    by, issuer = known("SIGNED_BY"), known("SIGNED_ISSUER")
    if not by and (repository := known("GITHUB_REPOSITORY")):
        server = known("GITHUB_SERVER_URL") or "https://github.com"
        workflow = re.escape(f"{server}/{repository}/.github/workflows/release.yml")
        by = f"^{workflow}@refs/tags/v"
        issuer = issuer or "https://token.actions.githubusercontent.com"
    elif not by and (project := known("CI_PROJECT_URL")):
        by = f"^{re.escape(project)}//{re.escape('.gitlab-ci.yml')}@refs/tags/v"
        issuer = issuer or known("CI_SERVER_URL")
    if not by or not issuer:
        sys.exit(
            "SIGNED_BY, SIGNED_ISSUER: say whose signature counts, as in docs/pipelines.md:"
            " nothing is started that somebody else may have made."
        )
    return [[
        "cosign", "verify",
        "--certificate-identity-regexp", by,
        "--certificate-oidc-issuer", issuer, "--output", "text", named,
    ]]  # fmt: skip


def commands(answers: dict[str, Any], action: str, environment: str, image: str) -> Commands:
    hosting, slug = answers["hosting"], answers["project"]["slug"]
    if hosting["target"] == "kubernetes" or (
        hosting["target"] != "compose" and hosting["cloud_runtime"] == "kubernetes"
    ):
        made = hosting["target"] != "kubernetes"
        return kubernetes(slug, hosting["release_strategy"], action, environment, image, made=made)
    cloud = hosting["target"] != "compose"
    if cloud and hosting["release_strategy"] != "rolling":
        named = [digested(image)] if image or action == "deploy" else []
        return [[sys.executable, "scripts/ship/gradual", action, environment, *named]]
    if action == "promote":
        return []  # whatever took the place of the old version serves everybody already
    if not cloud:
        return machine(action, image)
    script = Path("deploy") / "terraform" / hosting["target"] / "release.sh"
    if action == "rollback":
        return [[str(script), environment, digested(image) if image else "", "back"]]
    return [[str(script), environment, digested(image)]]


def machine(action: str, image: str) -> Commands:
    """By SSH on the machine that MACHINE names, such as deploy@app.example.com: its clone of this
    project in MACHINE_FOLDER goes to the same commit, and its own script releases beside what runs.
    """
    back = action == "rollback"
    named = [digested(image)] if image or not back else []
    host = os.environ.get("MACHINE") or sys.exit("MACHINE: say where, as in deploy@app.example.com")
    there = [f"cd {shlex.quote(os.environ.get('MACHINE_FOLDER') or 'app')}"]
    if named and not back:  # Going back leaves the files: they know what the older version knew.
        head = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
        there += ["git fetch --quiet --tags origin", f"git checkout --quiet --detach {head}"]
    # The version before knows no newer migration: going back runs none.
    there.append(
        shlex.join(["python3", "scripts/release.py", *(["--back"] if back else []), *named])
    )
    return [["ssh", *shlex.split(os.environ.get("MACHINE_SSH", "")), host, " && ".join(there)]]


def kubernetes(
    slug: str, strategy: str, action: str, environment: str, image: str, *, made: bool
) -> Commands:
    """`made`: Terraform made the cluster, cluster.sh its namespace and the values that it knows."""
    place = ["--namespace", f"{slug}-{environment}"]
    watch = ["kubectl", "argo", "rollouts", "status", f"{slug}-app", *place, "--timeout", MINUTES]
    back = [sys.executable, "scripts/ship/helm_back.py", slug, place[1], MINUTES]

    def or_back(step: list[str]) -> list[str]:
        """Bad figures take people back, and not the worker, which is no Rollout."""
        return ["sh", "-c", f"{shlex.join(step)} || {{ {shlex.join(back)}; exit 1; }}"]

    if action == "promote":
        if strategy != "blue_green":
            return []
        # Promoted before it stands beside the old one, it would stay there: nothing would be heard.
        settled = ["timeout", MINUTES, "sh", "-c", SETTLED, "sh", f"{slug}-app", *place]
        promote = ["kubectl", "argo", "rollouts", "promote", f"{slug}-app", *place]
        return [or_back(settled), promote, or_back(watch)]
    if action == "rollback":
        # No migration runs backwards: the version before reads what the newer one wrote.
        back += [digested(image)] if image else []
        return [back, watch] if strategy != "rolling" else [back]
    repository, _, digest = digested(image).partition("@")
    rules = [word for path in sorted((ROOT / "ops" / "prometheus" / "rules").glob("*.yml"))
             for word in ("--set-file", f"monitoring.rules.{path.stem}={path}")]  # fmt: skip
    known = ["--values", f"deploy/chart/cloud-{environment}.yaml"] if made else []
    own = [] if made else ["--create-namespace"]
    return [
        ["helm", "upgrade", "--install", slug, "deploy/chart", *place, *own,
         "--values", f"deploy/chart/{environment}.yaml", *known,
         "--set", f"image.repository={repository}", "--set", f"image.digest={digest}",
         *rules, "--atomic", "--timeout", MINUTES],
        *([or_back(watch)] if strategy == "canary" else []),
    ]  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
