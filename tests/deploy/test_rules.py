"""Our own rules for the infrastructure hold, and who breaks one is told. Without Terraform."""

import re
import shutil
from pathlib import Path

import names
import pytest
import rules
from conftest import ROOT
from test_terraform import ANSWERS, CLOUDS, MODELS, REGIONS, SOURCE, one_runtime


def answers(cloud: str, environment: str = "production") -> str:
    return (
        (SOURCE / "answers.tfvars")
        .read_text(encoding="utf-8")
        .replace('"local"', f'"{REGIONS[cloud]}"')
        # What is watched needs more.
        .replace('"rolling"', '"canary"')
        .replace('"openai"', f'"{MODELS[cloud]}"')
        .replace('"demo"', f'"{names.ODD[environment]}"')
    )


def copy_of(cloud: str, folder: Path, runtime: str = "containers") -> Path:
    one_runtime(shutil.copytree(SOURCE / cloud, folder / cloud), runtime)
    return folder / cloud


def broken(cloud: str, folder: Path, environment: str = "production") -> list[str]:
    (folder / "answers.tfvars").write_text(answers(cloud, environment))
    if cloud == "azure":
        found = rules.each_alone(folder, environment)
    else:
        found = rules.parsed(folder, "answers.tfvars", f"environments/{environment}.tfvars")
    return rules.problems(cloud, found, production=environment == "production")


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("answered", ANSWERS.values(), ids=ANSWERS)
def test_the_rules_hold(tmp_path: Path, answered: dict[str, str], environment: str) -> None:
    cloud, runtime = answered["hosting"], answered["cloud_runtime"]
    assert broken(cloud, copy_of(cloud, tmp_path, runtime), environment) == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_rules_hold_for_what_comes_first(tmp_path: Path, cloud: str) -> None:
    folder = copy_of(cloud, tmp_path)
    (folder / "bootstrap" / "answers.tfvars").write_text(answers(cloud))

    found = rules.problems(cloud, rules.parsed(folder / "bootstrap", "answers.tfvars"))

    # Database and budget come later.
    assert [one for one in found if not one.startswith("there is no")] == []


@pytest.mark.parametrize("answered", ANSWERS.values(), ids=ANSWERS)
def test_whoever_breaks_a_rule_is_told(tmp_path: Path, answered: dict[str, str]) -> None:
    cloud, runtime = answered["hosting"], answered["cloud_runtime"]
    folder = copy_of(cloud, tmp_path, runtime)
    expected = rules.plant(folder, cloud, "rules" if runtime == "containers" else "cluster_rules")

    found = broken(cloud, folder)

    assert [one for one in expected if not any(one in line for line in found)] == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_setting_that_the_app_is_given_is_one(cloud: str) -> None:
    documented = set(
        re.findall(
            r"^\| `(\w+)`",
            (ROOT / "template" / "docs" / "settings.md").read_text(encoding="utf-8"),
            re.M,
        )
    )
    others = {"PGPASSWORD", "ACTUAL", "FORECASTED", "DATABASE_POSTGRES"}
    others |= {"DATABASE_ADMIN_URL", "DATABASE_APP_PASSWORD", "DATABASE_OWNER_PASSWORD"}
    for path in sorted((SOURCE / cloud).rglob("*.tf*")):
        named = rules.settings_named(path.read_text(encoding="utf-8"))
        assert named <= documented | others, f"{path.name}: {named - documented - others}"


def test_azure_s_own_interface_is_asked_about_stores_that_let_nobody_in() -> None:
    """Else the provider asks the store itself, which a new one refuses: the apply fails."""
    for root in (SOURCE / "azure" / "versions.tf", SOURCE / "azure" / "bootstrap" / "main.tf"):
        text = root.read_text(encoding="utf-8")
        assert re.search(r"storage \{\s+data_plane_available = false", text), root


def test_azure_knows_whose_parts_are_made() -> None:
    """What its provider registers by itself: hashicorp/azurerm, resourceproviders/required.go."""
    text = (SOURCE / "azure" / "versions.tf").read_text(encoding="utf-8")
    made = "".join(path.read_text() for path in sorted((SOURCE / "azure").rglob("*.tf")))
    for part, provider in {
        "azurerm_container_app": "Microsoft.App",
        "azurerm_application_load_balancer": "Microsoft.ServiceNetworking",
    }.items():
        assert part in made
        assert f'"{provider}"' in text


@pytest.mark.parametrize(
    ("ci", "issuer"),
    [("github", "https://token.actions.githubusercontent.com"), ("gitlab", "https://gitlab.com")],
)
def test_azure_trusts_the_system_that_was_answered(tmp_path: Path, ci: str, issuer: str) -> None:
    folder = copy_of("azure", tmp_path)
    # It stands in the root; to read all modules with it takes ten times as long.
    shutil.rmtree(folder / "modules")
    given = answers("azure").replace('"github"', f'"{ci}"')
    for root in (folder, folder / "bootstrap"):
        (root / "answers.tfvars").write_text(f'{given}\nci_subject = "of-a-job"\n')
        found = rules.parsed(root, "answers.tfvars")
        [trusted] = found["azurerm_federated_identity_credential"]
        assert trusted["issuer"] == issuer
