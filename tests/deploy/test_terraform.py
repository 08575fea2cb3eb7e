"""What a project gets for its cloud is valid, and says what it must."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cluster
import names
import pytest
import rules
import terraform
import test_chart
from conftest import ROOT, Render

SOURCE = ROOT / "template" / "deploy" / "terraform"
CLOUDS = sorted(path.name for path in SOURCE.iterdir() if path.is_dir())
# The provider whose models the cloud reaches by a private way.
MODELS = {"aws": "bedrock", "gcp": "vertex", "azure": "azure"}
REGIONS = {"aws": "eu-central-1", "gcp": "europe-west3", "azure": "germanywestcentral"}
ANSWERS = {
    f"{cloud}-{runtime}": {"hosting": cloud, "cloud_runtime": runtime}
    for cloud in CLOUDS
    for runtime in ("containers", "kubernetes")
    if (SOURCE / cloud / f"{runtime}.tf").exists()
}


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if not terraform.FOUND:
        print(f"\nSkipped: {terraform.WHY}", file=sys.__stderr__)
        pytest.skip(terraform.WHY)
    with terraform.providers(tmp_path_factory.mktemp("terraform")) as found:
        yield found


def one_runtime(folder: Path, runtime: str) -> Path:
    """Of a copy of template/, which has both, what a project gets."""
    for other in {"containers", "kubernetes"} - {runtime}:
        (folder / f"{other}.tf").unlink(missing_ok=True)
        shutil.rmtree(folder / "modules" / other, ignore_errors=True)
    if (runtime, folder.name) == ("kubernetes", "azure"):
        shutil.rmtree(folder / "modules" / "edge")
    return folder


def rendered(render: Render, **answers: Any) -> Path:
    cloud = answers["hosting"]
    # What splits requests is planned instead of what does not.
    strategy = "canary" if answers["cloud_runtime"] == "containers" else "rolling"
    given = {
        "release_strategy": strategy,
        "documents": True,
        "llm_provider": MODELS[cloud],
        "preset": "custom",
        **answers,
    }
    return render(**given) / "deploy" / "terraform" / str(cloud)


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_a_project_has_one_cloud_with_one_runtime(render: Render, answers: Any) -> None:
    folder = rendered(render, **answers)

    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [answers["hosting"]]
    for runtime in ("containers", "kubernetes"):
        here = runtime == answers["cloud_runtime"]
        assert (folder / f"{runtime}.tf").exists() == here
        assert (folder / "modules" / runtime).exists() == here
        assert (folder / f"{runtime}.md").exists() == here
    in_cluster = answers["cloud_runtime"] == "kubernetes"
    for path in (folder / "cluster.sh", folder.parents[1] / "cluster", folder.parents[1] / "chart"):
        assert path.exists() == in_cluster
    assert (folder / "release.sh").exists() != in_cluster
    told = (folder.parent / "answers.tfvars").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+) +=", told, re.M)) == set(
        re.findall(r'^variable "(\w+)"', (folder / "answers.tf").read_text(), re.M)
    )


def test_without_a_cloud_there_is_no_terraform(render: Render) -> None:
    assert not (render() / "deploy" / "terraform").exists()


def test_the_answers_are_declared_alike_for_every_cloud() -> None:
    assert len({(SOURCE / cloud / "answers.tf").read_bytes() for cloud in CLOUDS}) == 1


def test_what_clouds_ask_for_in_common_they_ask_for_alike() -> None:
    """But for the description: the zone of a domain is another thing in each."""
    found: dict[str, set[str]] = {}
    for cloud in CLOUDS:
        text = (SOURCE / cloud / "variables.tf").read_text(encoding="utf-8")
        for name, said in re.findall(r'^variable "(\w+)" \{(.*?)^\}', text, re.M | re.S):
            found.setdefault(name, set()).add(re.sub(r"\n *description .*", "", said))

    assert len(found) > 10
    assert [name for name, ways in found.items() if len(ways) > 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_terraform_plans_staging_and_production(
    render: Render, settings: Path, answers: Any
) -> None:
    folder = rendered(render, **answers)
    formatted = terraform.run(folder, settings, "fmt", "-check", "-recursive", "-diff")
    assert formatted.returncode == 0, formatted.stdout
    for root in (folder, folder / "bootstrap"):
        terraform.prepared(root, settings)
    checked = terraform.run(folder / "bootstrap", settings, "validate", "-no-color")
    assert checked.returncode == 0, checked.stdout + checked.stderr

    image = ["-var=image=registry.example.com/demo@sha256:1"]
    for environment in ("staging", "production"):
        named = ("../answers.tfvars", f"environments/{environment}.tfvars")
        files = [f"-var-file={name}" for name in named]
        files += image if answers["cloud_runtime"] == "containers" else []
        # Names are the hardest ones that may be answered, in the first of the two.
        files += [f"-var=slug={names.ODD['staging']}"] if environment == "staging" else []
        done = terraform.run(folder, settings, "plan", "-no-color", "-out=plan", *files)

        assert done.returncode == 0, done.stdout + done.stderr
        assert "Warning" not in done.stdout
        plan = json.loads(terraform.run(folder, settings, "show", "-json", "plan").stdout)
        assert list(names.of_plan(plan)) == []
    if answers["cloud_runtime"] == "kubernetes":
        made = terraform.run(folder, settings, "apply", "-no-color", "plan")
        assert made.returncode == 0, made.stdout + made.stderr
        told = json.loads(terraform.run(folder, settings, "output", "-json").stdout)
        ours = installed(folder, settings)
        in_a_cluster(folder, told["values"]["value"], ours)
    {
        "aws-containers": aws_containers,
        "azure-containers": azure_containers,
        "gcp-containers": gcp_containers,
        "aws-kubernetes": aws_kubernetes,
        "azure-kubernetes": azure_kubernetes,
        "gcp-kubernetes": gcp_kubernetes,
    }.get(f"{answers['hosting']}-{answers['cloud_runtime']}", lambda _: None)(plan)


def installed(folder: Path, settings: Path) -> list[cluster.Document]:
    """What cluster.sh installs of ours, by what Terraform says; clouds and Helm stand in."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("aws", "az", "gcloud", "kubelogin", "helm"):
        (tools / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tools}/{name}-$3"\n')
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [folder / "cluster.sh", "production"],
        env=os.environ
        | {"PATH": f"{tools}:{os.environ['PATH']}", "TF_CLI_CONFIG_FILE": str(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    words = (tools / "helm-cluster").read_text(encoding="utf-8").splitlines()
    given = [word for at, word in enumerate(words) if words[at - 1].startswith("--set")]
    return test_chart.rendered(folder.parents[1] / "cluster", *given, environment="")


def in_a_cluster(folder: Path, told: str, ours: list[cluster.Document]) -> None:
    """What Terraform tells the chart makes a whole of it, and CI may install each part."""
    charts = folder.parents[1]
    assert (charts / "chart" / "cloud-production.yaml").read_text(encoding="utf-8") == told
    documents = test_chart.rendered(
        charts / "chart", *test_chart.BUILD, "secrets.admin=admin-secrets", cloud=True
    )
    assert cluster.problems(documents) == []
    assert cluster.problems(ours) == []

    [role] = cluster.of_kind(ours, "Role")
    allowed = {
        (group, kind)
        for rule in role["rules"]
        if "create" in rule["verbs"]
        for group in rule["apiGroups"]
        for kind in rule["resources"]
    }
    wanted = {
        ((one["apiVersion"].rpartition("/")[0]), plural(one["kind"].lower())) for one in documents
    }
    assert wanted - allowed == set()

    [store] = cluster.of_kind(ours, "ClusterSecretStore")
    secrets = cluster.of_kind(documents, "ExternalSecret")
    assert {one["spec"]["secretStoreRef"]["name"] for one in secrets} == {store["metadata"]["name"]}
    asked = {
        one["metadata"]["name"]: {item["secretKey"] for item in one["spec"]["data"]}
        for one in secrets
    }
    passwords = {"DATABASE_APP_PASSWORD", "DATABASE_OWNER_PASSWORD"}
    assert asked["owner-secrets"] == {"PGPASSWORD"}
    assert asked["admin-secrets"] == {"PGPASSWORD"} | passwords
    assert {"SECRET_KEY", "ENCRYPTION_KEYS", "PGPASSWORD"} <= asked["app-secrets"]
    assert not asked["app-secrets"] & passwords
    # Gateway and share are there before the app, which names them.
    there = {(one["kind"], one["metadata"]["name"]) for one in ours}
    for route in cluster.of_kind(documents, "HTTPRoute"):
        assert {("Gateway", one["name"]) for one in route["spec"]["parentRefs"]} <= there
        # Where it names a listener, it is one that speaks TLS.
        named = {one["sectionName"] for one in route["spec"]["parentRefs"] if "sectionName" in one}
        assert named <= {
            listener["name"]
            for one in cluster.of_kind(ours, "Gateway")
            for listener in one["spec"]["listeners"]
            if listener["protocol"] == "HTTPS"
        }
    for pod in test_chart.pods(documents).values():
        claims = [one.get("persistentVolumeClaim") for one in pod.get("volumes", [])]
        assert {("PersistentVolumeClaim", one["claimName"]) for one in claims if one} <= there


def plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def aws_kubernetes(plan: Any) -> None:
    [made] = rules.planned(plan, "aws_eks_cluster")
    assert made["values"]["vpc_config"][0]["endpoint_public_access"] is False
    [nodes] = rules.planned(plan, "aws_eks_node_group")
    sizes = nodes["values"]["scaling_config"][0]
    assert sizes["max_size"] > sizes["min_size"] == 2, "one in each zone"
    [network] = (
        one["values"]
        for one in rules.planned(plan, "aws_eks_addon")
        if one["values"]["addon_name"] == "vpc-cni"
    )
    assert json.loads(network["configuration_values"]) == {"enableNetworkPolicy": "true"}
    # The alarm asks for a Deployment of the chart, by a figure that the add-on is told to write.
    [alarm] = (
        one["values"]
        for one in rules.planned(plan, "aws_cloudwatch_metric_alarm")
        if one["values"]["alarm_name"] == "demo-prod-no-worker"
    )
    assert alarm["dimensions"] == {
        "ClusterName": "demo-prod", "Namespace": "demo-production", "PodName": "demo-worker",
    }  # fmt: skip
    [figures] = (
        one["values"]["configuration_values"]
        for one in rules.planned(plan, "aws_eks_addon")
        if one["values"]["addon_name"] == "amazon-cloudwatch-observability"
    )
    assert '"enhanced_container_insights":true' in figures
    pods = rules.planned(plan, "aws_eks_pod_identity_association")
    assert ("demo-production", "demo") in {
        (one["values"]["namespace"], one["values"]["service_account"]) for one in pods
    }


def azure_kubernetes(plan: Any) -> None:
    [made] = rules.planned(plan, "azurerm_kubernetes_cluster")
    assert made["values"]["private_cluster_enabled"] is True
    [nodes] = made["values"]["default_node_pool"]
    assert nodes["max_count"] > nodes["min_count"] == 2
    assert set(nodes["zones"]) == {"1", "2", "3"}
    [alarm] = rules.planned(plan, "azurerm_monitor_scheduled_query_rules_alert_v2")
    query = alarm["values"]["criteria"][0]["query"]
    assert 'Namespace == "demo-production" and Name startswith "demo-worker-"' in query
    [budget] = rules.planned(plan, "azurerm_consumption_budget_subscription")
    [counted] = budget["values"]["filter"][0]["dimension"]
    assert made["values"]["node_resource_group"] in counted["values"], "the machines cost most"
    subnets = {
        one["values"]["name"]: one["values"] for one in rules.planned(plan, "azurerm_subnet")
    }
    assert subnets["gateway"]["address_prefixes"] == ["10.20.18.0/24"], "Azure takes a /24 only"
    assert subnets["containers"]["delegation"] == []
    trusted = {
        one["values"]["subject"]
        for one in rules.planned(plan, "azurerm_federated_identity_credential")
    }
    assert trusted == {
        "repo:write-owner/write-name:environment:production",
        "system:serviceaccount:external-secrets:external-secrets",
        "system:serviceaccount:azure-alb-system:alb-controller-sa",
    }


def gcp_kubernetes(plan: Any) -> None:
    [made] = rules.planned(plan, "google_container_cluster")
    assert made["values"]["private_cluster_config"][0]["enable_private_endpoint"] is True
    [blocks] = made["values"]["master_authorized_networks_config"]
    assert [one["cidr_block"] for one in blocks["cidr_blocks"]] == ["10.20.0.0/16"]
    [subnet] = rules.planned(plan, "google_compute_subnetwork")
    ranges = {
        one["range_name"]: one["ip_cidr_range"] for one in subnet["values"]["secondary_ip_range"]
    }
    assert ranges == {"pods": "10.20.64.0/18", "services": "10.20.128.0/20"}
    [inside] = (
        one["values"]
        for one in rules.planned(plan, "google_compute_firewall")
        if one["values"]["name"].endswith("-inside")
    )
    assert set(inside["destination_ranges"]) == {*ranges.values(), "10.20.0.0/18"}
    trusted = {
        one["values"]["member"] for one in rules.planned(plan, "google_service_account_iam_member")
    }
    assert {one.partition("[")[2] for one in trusted if "svc.id.goog" in one} == {
        "demo-production/demo]",
        "external-secrets/external-secrets]",
    }
    readers = rules.planned(plan, "google_secret_manager_secret_iam_member")
    assert len(readers) == len(rules.planned(plan, "google_secret_manager_secret"))


def aws_containers(plan: Any) -> None:
    """What is known before Amazon answers: the scanner beside the app, and not in the worker."""
    services = rules.planned(plan, "aws_ecs_service")
    assert {one["values"]["name"] for one in services} == {"app", "app-second", "worker"}
    targets = rules.planned(plan, "aws_appautoscaling_target")
    bounds = [(one["values"]["min_capacity"], one["values"]["max_capacity"]) for one in targets]
    assert bounds.count((0, 0)) == 1, "nobody needs the second one yet"
    assert all(most > least for least, most in bounds if most)
    memory = {
        one["values"]["family"]: int(one["values"]["memory"])
        for one in rules.planned(plan, "aws_ecs_task_definition")
    }
    assert memory["demo-prod-app"] == memory["demo-prod-worker"] + 4096


def gcp_containers(plan: Any) -> None:
    [app] = rules.planned(plan, "google_cloud_run_v2_service")
    given = {
        one["name"]: one.get("value")
        for one in app["values"]["template"][0]["containers"][0]["env"]
    }
    assert given["METRICS_LOG_SECONDS"] == "60", "a release reads what is told"
    [view] = rules.planned(plan, "google_logging_log_view")
    [seen] = rules.planned(plan, "google_logging_log_view_iam_member")
    assert view["values"]["name"] == "demo-prod-figures", "as scripts/ship/gradual asks"
    assert "run.googleapis.com/stdout" in view["values"]["filter"]
    assert seen["values"]["role"] == "roles/logging.viewAccessor"


def azure_containers(plan: Any) -> None:
    apps = {
        one["values"]["name"].rpartition("-")[2]: one["values"]
        for one in rules.planned(plan, "azurerm_container_app")
    }
    modes = {name: one["revision_mode"] for name, one in apps.items()}
    assert modes == {"app": "Multiple", "worker": "Single"}, "half of the jobs go to nobody"
    [role] = rules.planned(plan, "azurerm_role_definition")
    [allowed] = role["values"]["permissions"]
    assert allowed["actions"][-1].endswith("/query/Tables.Custom/read"), "no other log"
    [database] = rules.planned(plan, "azurerm_postgresql_flexible_server")
    assert database["values"]["high_availability"][0]["mode"] == "ZoneRedundant"
    environments = rules.planned(plan, "azurerm_container_app_environment")
    assert all(one["values"]["zone_redundancy_enabled"] for one in environments)
    for one in rules.planned(plan, "azurerm_container_app"):
        parts = one["values"]["template"][0]["container"]
        memory = sum(float(part["memory"].removesuffix("Gi")) for part in parts)
        assert memory == 2 * sum(part["cpu"] for part in parts), "Azure takes no other proportion"


@pytest.mark.slow
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_mistake_would_be_found(settings: Path, tmp_path: Path, cloud: str) -> None:
    """Names that lead nowhere hide what else is wrong, so they are tried by themselves."""
    folder = tmp_path / cloud
    runtimes = [one["cloud_runtime"] for one in ANSWERS.values() if one["hosting"] == cloud]
    for runtime, kind in [
        ("containers", "references"),
        ("containers", "arguments"),
        ("kubernetes", "cluster"),
    ]:
        if runtime not in runtimes:
            continue
        shutil.copytree(SOURCE / cloud, folder, dirs_exist_ok=True)
        one_runtime(folder, runtime)
        terraform.prepared(folder, settings)
        expected = rules.plant(folder, cloud, kind)

        done = terraform.run(folder, settings, "validate", "-no-color")

        assert done.returncode != 0
        said = done.stdout + done.stderr
        assert [one for one in expected if one not in said] == [], said
