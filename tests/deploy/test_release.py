"""A release in a cloud, as `make deploy` starts it; only the cloud's command line stands in."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from conftest import ROOT
from test_terraform import CLOUDS, SOURCE

IMAGE = "registry.example.com/demo@sha256:" + "0" * 64
# What each command line answers; what is asked for stands in ANSWERS, by the name of what is asked.
STAND_IN = """#!/bin/sh
echo "${0##*/} $*" >> "$LOG"
case "$*" in
  *dockerLabels*|*show*tags*) [ -z "$KNOWN" ] || echo "$QUOTE$KNOWN$QUOTE" ;;
  *labels.image-before-1*) printf %.32s "${KNOWN#*@sha256:}" ;;
  *labels.image-before-2*) [ -z "$KNOWN" ] || printf %s "$KNOWN" | tail -c 32 ;;
  *"value(status.latestReadyRevisionName)"*) echo ready-1 ;;
  *"properties.latestReadyRevisionName --output"*) echo ready-1 ;;
  *.image*) echo "$QUOTE$BEFORE$QUOTE" ;;
  *describe-task-definition*) echo '{"family": "demo", "containerDefinitions":
    [{"name": "app", "image": "old"}, {"name": "scanner", "image": "clamav"}], "revision": 1}' ;;
  *register-task-definition*) cat >> "$LOG"; echo arn:new ;;
  *networkConfiguration*) echo '{"awsvpcConfiguration": {"subnets": ["subnet-1"]}}' ;;
  *run-task*) echo arn:task ;;
  *"?name=='app'"*exitCode*) echo "$MIGRATED" ;;
  *"ecs wait"*) [ $(grep -c "ecs wait ${3}" "$LOG") -gt 1 ] || exit 255 ;;
  *"services[0].taskDefinition"*) echo "$RUNS" ;;
  *"job start"*) echo run-1 ;;
  *properties.status*) [ "$MIGRATED" = 0 ] && echo Succeeded || echo Failed ;;
  *latestReadyRevisionName*) [ "$RUNS" = arn:new ] && echo true || echo false ;;
  *"jobs execute"*) exit "$MIGRATED" ;;
  *"services update"*) [ "$RUNS" = arn:new ] ;;
esac
"""
NEW_APP = {
    "aws": "--cluster demo-stag --service app --task-definition arn:new",
    "azure": f"containerapp update --resource-group demo-stag --name demo-stag-app "
    f"--container-name app --image {IMAGE}",
    "gcp": f"services update demo-stag-app --region local --container app --image {IMAGE}",
}


BEFORE, OLDER = (f"registry.example.com/demo@sha256:{digit * 64}" for digit in "12")
# How each cloud is told which image was there before.
MARKS = {
    "aws": '"image-before": "{}"',
    "azure": "--tags image-before={}",
    "gcp": "--update-labels image-before-1={},image-before-2={}",
}


def mark(cloud: str, image: str) -> str:
    digest = image.rpartition("@sha256:")[2]
    halves = (digest[:32], digest[32:]) if cloud == "gcp" else (image, "")
    return MARKS[cloud].format(*halves)


class Released:
    """A project with a cloud, whose command line stands in."""

    signed: ClassVar = {
        "SIGNED_BY": "^https://ci[.]example[.]com/",
        "SIGNED_ISSUER": "https://ci.example.com",
    }

    def __init__(self, folder: Path, cloud: str) -> None:
        self.folder, self.cloud, self.log = folder, cloud, folder / "log"
        shutil.copytree(SOURCE, folder / "deploy" / "terraform")
        shutil.copytree(ROOT / "template" / "scripts", folder / "scripts")
        (folder / "app").mkdir()
        (folder / "app" / "answers.toml").write_text(
            '[project]\nslug = "demo"\n[hosting]\n'
            f'target = "{cloud}"\ncloud_runtime = "containers"\nrelease_strategy = "rolling"\n'
        )
        self.tools = folder / "tools"
        self.tools.mkdir()
        for name in ("aws", "az", "gcloud", "sleep", "cosign"):
            (self.tools / name).write_text(STAND_IN)
            (self.tools / name).chmod(0o755)

    def make(self, *words: str, **more: str) -> tuple[int, str]:
        self.log.write_text("")
        given = {"MIGRATED": "0", "RUNS": "arn:new", "BEFORE": BEFORE, "KNOWN": "", **more}
        done = subprocess.run(
            [sys.executable, "scripts/ship/release.py", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ
            | {"PATH": f"{self.tools}:{os.environ['PATH']}", "LOG": str(self.log)}
            | {"QUOTE": '"' if self.cloud == "aws" else ""}
            | given
            | self.signed,
        )
        return done.returncode, self.log.read_text() + done.stdout + done.stderr


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_release_migrates_first_and_tells_when_it_was_not_taken(
    tmp_path: Path, cloud: str
) -> None:
    release = Released(tmp_path, cloud)
    deploy = ("deploy", "staging", IMAGE)

    code, told = release.make(*deploy)
    assert code == 0, told
    by = release.signed["SIGNED_BY"]
    assert told.startswith(f"cosign verify --certificate-identity-regexp {by} ")
    assert 0 < told.index("migrate") < told.index(NEW_APP[cloud]) < told.rindex("worker")
    assert f"The way back: deploy/terraform/{cloud}/release.sh staging {BEFORE} back\n" in told
    assert mark(cloud, BEFORE) in told
    if cloud == "aws":
        assert f'"image": "{IMAGE}"' in told
        assert '"image": "clamav"' in told
        assert "revision" not in told.partition("register")[2].partition("aws ")[0]
    code, told = release.make(*deploy, MIGRATED="1")
    assert code != 0
    assert NEW_APP[cloud] not in told
    code, told = release.make(*deploy, RUNS="arn:old")
    assert code != 0
    assert NEW_APP[cloud] in told


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_cloud_knows_the_version_before(tmp_path: Path, cloud: str) -> None:
    """At night nobody looks for a digest; who goes back twice does not meet what was bad."""
    release = Released(tmp_path, cloud)
    there = NEW_APP[cloud].replace(IMAGE, OLDER)

    code, told = release.make("rollback", "staging", KNOWN=OLDER)
    assert code == 0, told
    assert f"Back to {OLDER}\n" in told
    assert there in told
    assert "worker" in told
    assert "migrate" not in told, "what went on stays: the version before works on it"
    if cloud == "aws":
        assert f'"image": "{OLDER}"' in told
        assert mark(cloud, "") in told
    else:
        assert any(line.endswith(f"{mark(cloud, '')}{end}") for line in told.splitlines()
                   for end in (" --quiet", " --output none"))  # fmt: skip
    code, told = release.make("rollback", "staging")
    assert code != 0
    assert "knows no version before, or went back to it: name the image" in told
    assert there not in told
    code, told = release.make("rollback", "staging", IMAGE, KNOWN=OLDER)
    assert code == 0, told
    assert NEW_APP[cloud] in told
    assert mark(cloud, IMAGE) not in told
    # The same once more, as after a pipeline that was broken off, leaves what was before it.
    code, told = release.make("deploy", "staging", IMAGE, BEFORE=IMAGE, KNOWN=OLDER)
    assert code == 0, told
    assert mark(cloud, IMAGE) not in told
    assert cloud != "aws" or mark(cloud, OLDER) in told


# What Terraform tells cluster.sh, what is installed, how it signs in, what deploy/cluster is given.
CLUSTERS: dict[str, tuple[dict[str, str], list[str], str, str]] = {
    "aws": (
        {"network": "vpc-1"},
        ["external-secrets", "aws-load-balancer-controller", "cluster-autoscaler", "cluster"],
        "aws eks update-kubeconfig --region r --name demo-stag",
        "--set store.aws.region=r",
    ),
    "gcp": (
        {name: name for name in ("project", "address", "certificate", "tls_policy")}
        | {"secrets_account": "secr@p", "releases": "ci@p,123"},
        ["external-secrets", "cluster"],
        "gcloud container clusters get-credentials demo-stag --region r --project project",
        (
            "--set store.gcp.project=project --set google.address=address"
            " --set google.certificate=certificate --set google.tlsPolicy=tls_policy"
            " --set releases.kind=User --set-string releases.names={ci@p,123}"
        ),
    ),
}


@pytest.mark.parametrize("cloud", CLUSTERS)
def test_a_cluster_gets_what_the_app_stands_on(tmp_path: Path, cloud: str) -> None:
    """Terraform, the cloud and Helm stand in; what is asked of them, and where the values go."""
    more, ours, signed_in, given = CLUSTERS[cloud]
    here = tmp_path / "deploy" / "terraform" / cloud
    here.mkdir(parents=True)
    shutil.copy(SOURCE / cloud / "cluster.sh", here)
    parts = ROOT / "template" / "deploy"
    chart = shutil.copytree(parts / "chart", tmp_path / "deploy" / "chart")
    shutil.copytree(parts / "cluster", tmp_path / "deploy" / "cluster")
    shutil.copytree(ROOT / "template" / "ops", tmp_path / "ops")
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "template" / "scripts" / "listeners.py", tmp_path / "scripts")
    told = json.dumps({"name": "demo-stag", "region": "r", "namespace": "demo-staging"} | more)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, says in {
        "terraform": f"case $* in *values) echo host: x ;; *) echo '{told}' ;; esac",
        "aws": "",
        "gcloud": "",
        "helm": 'while [ $# != 0 ]; do [ $1 != --values ] || cp $2 "$LOG.values"; shift; done',
    }.items():
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"$LOG"\n{says}\n')
        (tools / name).chmod(0o755)
    log = tmp_path / "log"

    said = tmp_path / "said"

    def installed(environment: str) -> tuple[int, list[str]]:
        log.write_text("")
        done = subprocess.run(
            [here / "cluster.sh", environment],
            check=False,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "LOG": str(log)},
        )
        said.write_text(done.stderr)
        helm = [one.split() for one in log.read_text().splitlines() if one.startswith("helm")]
        assert all("--version" in one or one[3] == "cluster" for one in helm), "each is pinned"
        return done.returncode, [one[3] for one in helm]

    assert installed("staging") == (0, ours)
    assert (chart / "cloud-staging.yaml").read_text() == "host: x\n"
    assert signed_in in log.read_text()
    assert f"--set namespace=demo-staging {given}" in log.read_text()
    values = chart / "values.yaml"
    values.write_text(values.read_text().replace("strategy: rolling", "strategy: blue_green"))
    assert {"argo-rollouts", "kube-prometheus-stack"} < set(installed("staging")[1])
    told_whom = yaml.safe_load((tmp_path / "log.values").read_text())["alertmanager"]["config"]
    ours_is = ROOT / "template" / "ops" / "alertmanager" / "alertmanager.yml"
    assert told_whom == yaml.safe_load(ours_is.read_text()), "else a cluster's alerts reach nobody"
    assert "nobody is told of alerts (page, ticket)" in said.read_text()
    assert installed("production") == (1, []), "Terraform stands at another environment"
    last = re.findall(r"\$\(told (\w+)\)", (here / "cluster.sh").read_text())[-1]
    terraform = tools / "terraform"
    terraform.write_text(terraform.read_text().replace(f'"{last}"', '"other"'))
    code, did = installed("staging")
    assert code != 0
    assert "cluster" not in did, "nothing is installed with an empty value"
    assert (chart / "cloud-staging.yaml").read_text() == "host: x\n"
