"""What a project gets for its cloud is valid, and says what it must."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import rules
import terraform
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
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not terraform.FOUND:
        print(f"\nSkipped: {terraform.WHY}", file=sys.__stderr__)
        pytest.skip(terraform.WHY)
    return terraform.mirror(tmp_path_factory.mktemp("terraform"))


def rendered(render: Render, **answers: Any) -> Path:
    cloud = answers["hosting"]
    given = {"documents": True, "llm_provider": MODELS[cloud], "preset": "custom", **answers}
    return render(**given) / "deploy" / "terraform" / str(cloud)


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_a_project_has_one_cloud_with_one_runtime(render: Render, answers: Any) -> None:
    folder = rendered(render, **answers)

    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [answers["hosting"]]
    for runtime in ("containers", "kubernetes"):
        here = runtime == answers["cloud_runtime"]
        assert (folder / f"{runtime}.tf").exists() == here
        assert (folder / "modules" / runtime).exists() == here
    assert (folder / "release.sh").exists() == (answers["cloud_runtime"] == "containers")
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

    for environment in ("staging", "production"):
        named = ("../answers.tfvars", f"environments/{environment}.tfvars")
        files = [f"-var-file={name}" for name in named]
        image = "-var=image=registry.example.com/demo@sha256:1"
        done = terraform.run(folder, settings, "plan", "-no-color", "-out=plan", image, *files)

        assert done.returncode == 0, done.stdout + done.stderr
        assert "Warning" not in done.stdout
    plan = json.loads(terraform.run(folder, settings, "show", "-json", "plan").stdout)
    {"aws-containers": aws_containers, "azure-containers": azure_containers}.get(
        f"{answers['hosting']}-{answers['cloud_runtime']}", lambda _: None
    )(plan)


def aws_containers(plan: Any) -> None:
    """What is known before Amazon answers: the scanner beside the app, and not in the worker."""
    services = rules.planned(plan, "aws_ecs_service")
    assert {one["values"]["name"] for one in services} == {"app", "worker"}
    targets = rules.planned(plan, "aws_appautoscaling_target")
    assert all(one["values"]["max_capacity"] > one["values"]["min_capacity"] for one in targets)
    memory = {
        one["values"]["family"]: int(one["values"]["memory"])
        for one in rules.planned(plan, "aws_ecs_task_definition")
    }
    assert memory["demo-prod-app"] == memory["demo-prod-worker"] + 4096


def azure_containers(plan: Any) -> None:
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
    shutil.copytree(SOURCE / cloud, folder)
    terraform.prepared(folder, settings)
    for kind in ("references", "arguments"):
        shutil.copytree(SOURCE / cloud, folder, dirs_exist_ok=True)
        expected = rules.plant(folder, cloud, kind)

        done = terraform.run(folder, settings, "validate", "-no-color")

        assert done.returncode != 0
        said = done.stdout + done.stderr
        assert [one for one in expected if one not in said] == [], said
