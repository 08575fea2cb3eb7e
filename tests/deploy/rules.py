"""What the infrastructure must never say, read by tfparse: no Terraform and no cloud is asked.

Each rule yields a sentence for each place that breaks it.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import names
import rules_alarms
import rules_aws
import rules_azure
import rules_gcp
import tfparse  # type: ignore[import-untyped]
from reading import Parsed

RULES = {"aws": rules_aws.aws, "azure": rules_azure.azure, "gcp": rules_gcp.gcp}


def parsed(folder: Path, *variables: str) -> Parsed:
    found: Parsed = tfparse.load_from_path(folder, vars_paths=list(variables))
    return found


def each_alone(folder: Path, environment: str) -> Parsed:
    """Root and modules one by one: tfparse does not get through all of Azure's together."""
    found = parsed(folder, "answers.tfvars", f"environments/{environment}.tfvars")
    for part in sorted((folder / "modules").glob("*")):
        production = str(environment == "production").lower()
        (part / "alone.tfvars").write_text(f"production = {production}\nclients = []\n")
        for kind, ones in parsed(part, "alone.tfvars").items():
            found.setdefault(kind, []).extend(ones)
    return found


def problems(cloud: str, found: Parsed, *, production: bool = True) -> list[str]:
    told = {
        *RULES[cloud](found, production),
        *names.of_files(found),
        *rules_alarms.of_workers(found),
    }
    return sorted(one for one in told if one)


def settings_named(text: str) -> set[str]:
    """Environment variables that a Terraform file gives to the app, and its lists of secrets."""
    lists = re.findall(r"secrets = (?:setunion\(.*?\n  \)|\[.*?\])", text, re.DOTALL)
    listed = re.findall(r'"([A-Z][A-Z0-9_]{3,})"', " ".join(lists))
    return {*listed, *re.findall(r"(?<![\w.\"])([A-Z][A-Z0-9_]{3,})\s+=", text)}


def planned(plan: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Resources of a plan as `terraform show -json` tells it."""

    def walk(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from (one for one in module.get("resources", []) if one["type"] == kind)
        for inner in module.get("child_modules", []):
            yield from walk(inner)

    return list(walk(plan["planned_values"]["root_module"]))


def plant(folder: Path, cloud: str, kind: str) -> list[str]:
    """Put the mistakes of mistakes.toml into a copy; what must be said about each."""
    mistakes = tomllib.loads((Path(__file__).parent / "mistakes.toml").read_text(encoding="utf-8"))
    for one in mistakes[cloud][kind]:
        path = folder / one["file"]
        text = path.read_text(encoding="utf-8")
        assert one["old"] in text, f"{one['file']} no longer has {one['old']!r}"
        path.write_text(text.replace(one["old"], one["new"], 1))
    return [one["says"] for one in mistakes[cloud][kind]]
