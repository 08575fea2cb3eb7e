"""Our own rules for the infrastructure hold, and who breaks one is told. Without Terraform."""

import re
import shutil
from pathlib import Path

import pytest
import rules
from conftest import ROOT
from test_terraform import CLOUDS, MODELS, REGIONS, SOURCE


def answers(cloud: str) -> str:
    return (
        (SOURCE / "answers.tfvars")
        .read_text(encoding="utf-8")
        .replace('"local"', f'"{REGIONS[cloud]}"')
        .replace('"openai"', f'"{MODELS[cloud]}"')
    )


def copy_of(cloud: str, folder: Path) -> Path:
    shutil.copytree(SOURCE / cloud, folder / cloud)
    (folder / cloud / "answers.tfvars").write_text(answers(cloud))
    return folder / cloud


def broken(cloud: str, folder: Path, environment: str = "production") -> list[str]:
    if cloud == "azure":
        found = rules.each_alone(folder, environment)
    else:
        found = rules.parsed(folder, "answers.tfvars", f"environments/{environment}.tfvars")
    return rules.problems(cloud, found, production=environment == "production")


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_rules_hold(tmp_path: Path, cloud: str, environment: str) -> None:
    assert broken(cloud, copy_of(cloud, tmp_path), environment) == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_rules_hold_for_what_comes_first(tmp_path: Path, cloud: str) -> None:
    folder = copy_of(cloud, tmp_path)
    (folder / "bootstrap" / "answers.tfvars").write_text(answers(cloud))

    found = rules.problems(cloud, rules.parsed(folder / "bootstrap", "answers.tfvars"))

    # Database and budget come later.
    assert [one for one in found if not one.startswith("there is no")] == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_whoever_breaks_a_rule_is_told(tmp_path: Path, cloud: str) -> None:
    folder = copy_of(cloud, tmp_path)
    expected = rules.plant(folder, cloud, "rules")

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
