"""What Terraform makes for two services of ECS that take turns, and what it leaves to releases."""

import json
from pathlib import Path
from typing import Any

import pytest
import terraform
from conftest import Render
from test_terraform import ANSWERS, rendered, settings

__all__ = ["settings"]
SERVICES = {"app", "app-second"}
# What who releases may do more than in a rolling release, and to what.
RIGHTS = {
    "ecs:ListTagsForResource": "service/demo-prod/app",
    "ecs:TagResource": "service/demo-prod/app",
    "elasticloadbalancing:ModifyRule": "aws_lb_listener_rule",
    "application-autoscaling:RegisterScalableTarget": "aws_appautoscaling_target",
    "logs:FilterLogEvents": ":*",
    # These two only read.
    "elasticloadbalancing:DescribeRules": "*",
    "elasticloadbalancing:DescribeTargetHealth": "*",
}


class Applied:
    """What stands in the state after an apply; a release can change it there."""

    def __init__(self, folder: Path, settings: Path) -> None:
        self.folder, self.settings = folder, settings
        terraform.prepared(folder, settings)
        done = self._run("apply", "-auto-approve")
        assert done.returncode == 0, done.stdout + done.stderr
        self.state: dict[str, Any] = json.loads((folder / "terraform.tfstate").read_text())

    def _run(self, *words: str) -> Any:
        files = ("../answers.tfvars", "environments/production.tfvars")
        more = ["-no-color", "-var=image=demo@sha256:1", *(f"-var-file={one}" for one in files)]
        return terraform.run(self.folder, self.settings, *words, *more)

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """By the key of each, or its name."""
        return {
            str(one.get("index_key", found["name"])): one["attributes"]
            for found in self.state["resources"]
            if found["type"] == kind
            for one in found["instances"]
        }

    def would_change(self) -> list[str]:
        self.state["serial"] += 1
        (self.folder / "terraform.tfstate").write_text(json.dumps(self.state))
        done = self._run("plan", "-refresh=false", "-out=plan")
        assert done.returncode == 0, done.stdout + done.stderr
        plan = json.loads(terraform.run(self.folder, self.settings, "show", "-json", "plan").stdout)
        return [
            one["address"]
            for one in plan["resource_changes"]
            if one["mode"] == "managed" and one["change"]["actions"] != ["no-op"]
        ]


@pytest.mark.slow
def test_two_services_take_turns_and_terraform_leaves_them_as_releases_did(
    render: Render, settings: Path
) -> None:
    found = Applied(rendered(render, **ANSWERS["aws-containers"]), settings)

    services, targets = found.of("aws_ecs_service"), found.of("aws_appautoscaling_target")
    counts = {name: services[name]["desired_count"] for name in SERVICES}
    assert counts == {"app": 2, "app-second": 0}
    bounds = {name: (one["min_capacity"], one["max_capacity"]) for name, one in targets.items()}
    assert bounds["app-second"] == (0, 0), "else it is started where nobody needs it"
    assert bounds["app"] == (2, int(services["app"]["tags"]["most"]))
    policies = found.of("aws_appautoscaling_policy")
    assert {*policies} == {*targets} == SERVICES | {"worker"}
    [rule] = found.of("aws_lb_listener_rule").values()
    [shared] = rule["action"][0]["forward"]
    groups = found.of("aws_lb_target_group")
    assert {one["arn"]: one["weight"] for one in shared["target_group"]} == {
        groups["app"]["arn"]: 100,
        groups["app-second"]["arn"]: 0,
    }
    assert services["app"]["tags"] == {
        "rule": rule["arn"],
        "least": "2",
        "most": str(bounds["app"][1]),
    }
    for name in SERVICES:
        [balanced] = services[name]["load_balancer"]
        assert balanced["target_group_arn"] == groups[name]["arn"]
    alarms = found.of("aws_cloudwatch_metric_alarm")
    for name, dimension, told in (
        ("app", "ServiceName", SERVICES),
        # A suffix that nobody knows before Amazon answers.
        ("nobody_ready", "TargetGroup", {"made-up-arn_suffix"}),
    ):
        asked = [one["metric"] for one in alarms[name]["metric_query"] if one["metric"]]
        assert len(asked) == 2
        assert {one[0]["dimensions"][dimension] for one in asked} == told

    assert found.would_change() == []
    for number, name in enumerate(sorted(SERVICES)):
        services[name] |= {"task_definition": "demo-prod-app:17", "desired_count": 3 * number}
        targets[name] |= {"min_capacity": 3 * number, "max_capacity": 9 * number}
    for one in shared["target_group"]:
        one["weight"] = 100 - one["weight"]
    assert found.would_change() == []
    rule["priority"] = 7
    assert found.would_change() == ["module.edge.aws_lb_listener_rule.shares[0]"], (
        "it was looked at"
    )


@pytest.mark.slow
def test_who_releases_may_do_no_more_than_a_release_needs(render: Render, settings: Path) -> None:
    def allowed(strategy: str) -> dict[str, list[str]]:
        answers = ANSWERS["aws-containers"] | {"release_strategy": strategy}
        found = Applied(rendered(render, **answers), settings)
        return {
            action: one["resources"]
            for one in found.of("aws_iam_policy_document")["release"]["statement"]
            for action in one["actions"]
        }

    rolling, canary = allowed("rolling"), allowed("canary")

    assert {*canary} - {*rolling} == {*RIGHTS}
    assert {one: canary[one] for one in rolling} == rolling
    for action, part in RIGHTS.items():
        assert canary[action], action
        for one in canary[action]:
            assert one == part or (part in one and part != "*"), (action, one)
            assert not one.endswith("/*"), "of one project and environment only"
