"""The chart of every answer: well formed, closed, and nothing in it leads nowhere."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import questionnaire
import yaml
from cluster import Document, of_kind, pod_of, problems
from conftest import ROOT, Render

CHECKS = questionnaire.checks()
CHART = ROOT / "template" / "deploy" / "chart"
STRATEGIES = ("rolling", "blue_green", "canary")
BUILD = ("image.digest=sha256:" + "0" * 64,)
EVERYTHING = (
    *BUILD,
    "release.strategy=canary",
    "monitoring.enabled=true",
    "app.streams.enabled=true",
    "worker.queue.enabled=true",
    "secrets.external.enabled=true",
    "secrets.admin=admin-secrets",
    "network.metadata=true",
    "entry.targetGroup=arn",
    "entry.firewall=armour",
    "network.names.blocks[0]=169.254.20.10/32",
    "network.inside[0].port=8000",
    "network.inside[0].namespaces[0]=models",
)
ON_CLOUDS = not CHECKS.rooms["cloud_runtime"]["kubernetes"]
CLOUDS = CHECKS.clouds if ON_CLOUDS else []
ANSWERS = [
    {"hosting": "kubernetes", "documents": True, "people_at_peak": 5000},
    {"hosting": "kubernetes", "release_strategy": "blue_green", "llm_provider": "vllm"},
    {"hosting": "kubernetes", "release_strategy": "canary", "documents": True},
    *({"hosting": cloud, "cloud_runtime": "kubernetes"} for cloud in CLOUDS),
]


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "helm"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def rendered(
    chart: Path, *values: str, environment: str = "production", cloud: bool = False
) -> list[Document]:
    names = [environment] * bool(environment) + [f"cloud-{environment}"] * cloud
    files = [word for name in names for word in ("--values", str(chart / f"{name}.yaml"))]
    chosen = [
        word for one in values for word in ("--set-string" if "tag=" in one else "--set", one)
    ]
    done = helm("template", "demo", chart, "--namespace", "demo", "--kube-version", "1.32",
                *files, *chosen)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def pods(documents: list[Document]) -> dict[str, Document]:
    found = [(one["metadata"]["name"], pod_of(one)) for one in documents]
    return {name: pod["spec"] for name, pod in found if pod}


@pytest.mark.parametrize("answers", ANSWERS, ids=lambda one: "-".join(map(str, one.values())))
def test_the_chart_of_every_answer_is_whole(render: Render, answers: dict[str, Any]) -> None:
    chart = render(**answers) / "deploy" / "chart"

    linted = helm("lint", "--strict", chart)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    for environment in ("staging", "production"):
        made = ("entry.targetGroup=arn", "entry.firewall=armour")
        documents = rendered(chart, *BUILD, *made, environment=environment)
        assert problems(documents) == []
    strategy = answers.get("release_strategy", "rolling")
    kinds = {one["kind"] for one in documents}
    assert ("Rollout" in kinds) == (strategy != "rolling")
    assert any("scanner" in name for name in pods(documents)) == answers.get("documents", False)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("entry", ["ingress", "gateway", "google", "target_group"])
def test_it_is_whole_with_everything_switched_on(strategy: str, entry: str) -> None:
    # Amazon's load balancer does not split requests by what Argo Rollouts says.
    if (strategy, entry) == ("canary", "target_group"):
        strategy = "blue_green"
    documents = rendered(CHART, *EVERYTHING, f"release.strategy={strategy}", f"entry.kind={entry}")

    assert problems(documents) == []
    assert bool(of_kind(documents, "AnalysisTemplate")) == (strategy != "rolling")
    back = [one["spec"].get("rollbackWindow") for one in of_kind(documents, "Rollout")]
    assert back == [{"revisions": 3}] * (strategy != "rolling")
    # A balancer outside the cluster learns of it later; streams have their time after that.
    app = pods(documents)["demo-app"]
    leaves = app["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert leaves == (5 if entry == "ingress" else 20)
    assert app["terminationGracePeriodSeconds"] >= leaves + 20 + 10


def test_it_is_whole_with_everything_switched_off() -> None:
    off = (
        "entry.certificate.enabled",
        "scanner.enabled",
        "secrets.external.enabled",
        "monitoring.enabled",
    )

    documents = rendered(CHART, *BUILD, *(f"{one}=false" for one in off), "app.mostReplicas=0")

    assert problems(documents) == []
    known = {
        "Deployment",
        "Job",
        "Service",
        "ServiceAccount",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
    }
    assert {one["kind"] for one in documents} == known, "a plain cluster has nothing else"


def test_migrations_run_first_and_only_they_know_the_owner() -> None:
    documents = rendered(CHART, *EVERYTHING)

    (migrate,) = (
        one for one in of_kind(documents, "Job") if one["metadata"]["name"] == "demo-migrate"
    )
    assert migrate["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    secrets = {
        name: {source["secretRef"]["name"] for source in pod["containers"][0].get("envFrom", [])}
        for name, pod in pods(documents).items()
    }
    assert secrets == {
        "demo-app": {"app-secrets"},
        "demo-worker": {"app-secrets"},
        "demo-migrate": {"owner-secrets"},
        "demo-roles": {"admin-secrets"},
        "demo-scanner": set(),
    }


def test_every_setting_is_one_that_the_app_reads() -> None:
    known = set(
        re.findall(
            r"^\| `([A-Z0-9_]+)`", (ROOT / "template/docs/settings.md").read_text(), re.MULTILINE
        )
    )

    documents = rendered(
        CHART, *EVERYTHING, "settings.PUBLIC_URL=https://other.example.com",
        r'settings.UNENCRYPTED_HOSTS=["vllm"\, "relay"]',
    )  # fmt: skip
    given = {
        one["name"]: one["value"] for one in pods(documents)["demo-app"]["containers"][0]["env"]
    }

    assert problems(documents) == []
    assert set(given) - known == set()
    assert given["PUBLIC_URL"] == "https://other.example.com"
    assert json.loads(given["UNENCRYPTED_HOSTS"]) == ["vllm", "relay", "demo-scanner"]


def test_figures_that_decide_about_a_release_are_figures_of_the_app() -> None:
    asked = set(re.findall(r"\bapp_[a-z_]+", "".join(
        (CHART / "templates" / name).read_text() for name in ("analysis.yaml", "scaling.yaml")
    )))  # fmt: skip
    sources = "\n".join(path.read_text() for path in (ROOT / "template" / "app").rglob("*.py"))

    assert len(asked) >= 5
    assert {one for one in asked if f'"{one}"' not in sources} == set()


# Mistakes, planted: each is seen.

PLANTED = [
    ("_parts.tpl", "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"),
    (
        "_parts.tpl",
        "automountServiceAccountToken: false",
        "automountServiceAccountToken: true",
        "a token",
    ),
    ("_parts.tpl", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "may write"),
    ("_parts.tpl", "drop: [ALL]", "drop: [NET_RAW]", "keeps capabilities"),
    (
        "app.yaml",
        "terminationGracePeriodSeconds",
        "terminationGraceSeconds",
        "terminationGraceSeconds",
    ),
    ("app.yaml", "containerPort: 8000", "containerPort: '8000'", "8000"),
    (
        "app.yaml",
        "serviceAccountName: {{ .Release.Name }}",
        "serviceAccountName: nobody",
        "no ServiceAccount/nobody",
    ),
    (
        "worker.yaml",
        "resources: {{- toYaml .Values.worker.resources | nindent 12 }}",
        "resources: {}",
        "no limits of memory",
    ),
    ("worker.yaml", "emptyDir: {sizeLimit: 512Mi}", "hostPath: {path: /tmp}", "folder of the node"),
    ("service.yaml", "targetPort: http", "targetPort: web", "no pod has this port"),
    (
        "network.yaml",
        'list . "deny" list) }}\n  policyTypes: [Ingress, Egress]',
        'list . "deny" list) }}\n  policyTypes: [Ingress]',
        "no policy closes",
    ),
    (
        "network.yaml",
        "except: {{ .Values.network.notOutside | toJson }}",
        "except: [10.0.0.0/8]",
        "cloud's own",
    ),
    ("scaling.yaml", 'dict "app" 1 "worker" 1', 'dict "app" 1', "no disruption budget"),
    (
        "scaling.yaml",
        "kind: PodDisruptionBudget",
        "kind: PodDisruptionBudge",
        "nobody knows this kind",
    ),
    ("scaling.yaml", "pollingInterval: 15", "pollInterval: 15", "pollInterval"),
    (
        "scaling.yaml",
        "name: {{ .Release.Name }}-app\n{{- end }}",
        "name: app\n{{- end }}",
        "no Rollout/app",
    ),
    ("_strategies.tpl", "canaryService:", "canarySvc:", "canarySvc"),
    ("_strategies.tpl", '"quality" }}', '"kindness" }}', "no AnalysisTemplate/demo-kindness"),
    ("analysis.yaml", "failureLimit: 1", "failureLimits: 1", "failureLimits"),
    ("secrets.yaml", "secretStoreRef:", "storeRef:", "storeRef"),
    ("entry.yaml", "dnsNames: [{{ .Values.host }}]", "dnsNames: {{ .Values.host }}", "dnsNames"),
    ("monitoring.yaml", "podMetricsEndpoints:", "endpoints:", "endpoints"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str, str, str], Path]:
    def changed(name: str, old: str, new: str) -> Path:
        chart = tmp_path / "chart"
        shutil.copytree(CHART, chart)
        file = chart / "templates" / name
        source = file.read_text()
        assert old in source, f"{name} has no {old}"
        file.write_text(source.replace(old, new))
        return chart

    return changed


@pytest.mark.parametrize(("name", "old", "new", "told"), PLANTED, ids=[one[2] for one in PLANTED])
def test_a_planted_mistake_is_seen(
    copy: Callable[[str, str, str], Path], name: str, old: str, new: str, told: str
) -> None:
    found = problems(rendered(copy(name, old, new), *EVERYTHING))

    assert any(told in one for one in found), found


# The same in what only Google's load balancer reads, and in what stands before the chart there.
GOOGLES = [
    ("entry.yaml", "securityPolicy:", "securitypolicy:", "securitypolicy"),
    ("entry.yaml", "timeoutSec: 180", "timeoutSec: 180s", "180s"),
    ("entry.yaml", "requestPath:", "path:", "path"),
    (
        "entry.yaml",
        'targetRef: {group: "", kind: Service, name: {{ .Release.Name }}-app}',
        'targetRef: {group: "", kind: Service, name: {{ .Release.Name }}-web}',
        "no Service/demo-web",
    ),
    ("entry.yaml", "sectionName:", "section:", "section"),
    ("google.yaml", "port: 443", "port: '443'", "listeners"),
    ("google.yaml", "options: {", "option: {", "listeners"),
    ("google.yaml", "sslPolicy:", "tlsPolicy:", "tlsPolicy"),
    ("google.yaml", "kind: Gateway, name: app", "kind: Gateway, name: web", "no Gateway/web"),
    ("store.yaml", "projectID:", "project:", "project"),
]
BEFORE = (
    "namespace=demo",
    "store.gcp.project=demo",
    "google.address=a",
    "google.certificate=c",
    "google.tlsPolicy=t",
)


@pytest.mark.parametrize(("name", "old", "new", "told"), GOOGLES, ids=[one[2] for one in GOOGLES])
def test_a_mistake_on_googles_way_in_is_seen(
    tmp_path: Path, name: str, old: str, new: str, told: str
) -> None:
    here = (CHART / "templates" / name).exists()
    chart = shutil.copytree(CHART if here else CHART.parent / "cluster", tmp_path / "chart")
    values = (*EVERYTHING, "entry.kind=google", "entry.gateway.listener=https") if here else BEFORE
    environment = "production" if here else ""
    assert problems(rendered(chart, *values, environment=environment)) == []
    file = chart / "templates" / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))

    found = problems(rendered(chart, *values, environment=environment))

    assert any(told in one for one in found), found


def test_without_its_firewall_nothing_is_deployed_to_google() -> None:
    done = helm("template", "demo", CHART, "--set", BUILD[0], "--set", "entry.kind=google")

    assert done.returncode != 0
    assert "entry.firewall: say which" in done.stderr


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("image.tag=latest", "image"),
        ("image.digest=sha256:1", "digest"),
        ("app.replica=3", "replica"),
        ("release.strategy=yolo", "strategy"),
        ("release.canary.steps[0]=200", "steps"),
        ("host=https://app.example.com", "host"),
        ("worker.replicas=many", "replicas"),
    ],
)
def test_a_value_that_cannot_be_is_refused(value: str, told: str) -> None:
    kind = "--set-string" if "tag" in value else "--set"

    done = helm("template", "demo", CHART, kind, value)

    assert done.returncode != 0
    assert told in done.stderr


def test_nothing_is_deployed_that_says_no_build() -> None:
    done = helm("template", "demo", CHART)

    assert done.returncode != 0
    assert "which build" in done.stderr


def test_alert_rules_are_handed_in_as_they_are() -> None:
    files = sorted((ROOT / "template" / "ops" / "prometheus" / "rules").glob("*.yml"))
    words = [
        word for file in files for word in ("--set-file", f"monitoring.rules.{file.stem}={file}")
    ]

    done = helm("template", "demo", CHART, "--set", ",".join(EVERYTHING), *words)

    assert done.returncode == 0, done.stderr
    documents = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert problems(documents) == []
    handed = {one["metadata"]["name"]: one["spec"] for one in of_kind(documents, "PrometheusRule")}
    assert handed == {f"demo-{file.stem}": yaml.safe_load(file.read_text()) for file in files}
    (monitor,) = of_kind(documents, "PodMonitor")
    assert monitor["spec"]["jobLabel"] == "app.kubernetes.io/component"
    assert len(handed) >= 3
