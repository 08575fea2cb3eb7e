"""ECS: two services take turns, and a rule of the load balancer shares requests between them.

A version is one of the two and a revision of the task that both run, such as `app:17`.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from place import Failed, Place, Token, sent

# Plain Python, which a pipeline has.
sys.path.append(str(Path(__file__).absolute().parents[3]))
from app.core.sigv4 import Credentials, signed

SERVICES = ("app", "app-second")
MARKS = ("live", "next", "before")
# What a new revision takes over from the one before: the rest is the cloud's.
TAKEN = (
    "family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "volumes",
    "requiresCompatibilities", "cpu", "memory",
)  # fmt: skip
TARGETS = {
    "ecs": "AmazonEC2ContainerServiceV20141113",
    "logs": "Logs_20140328",
    "application-autoscaling": "AnyScaleFrontendService",
}


KEYS = {
    "AWS_ACCESS_KEY_ID": "AccessKeyId",
    "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
    "AWS_SESSION_TOKEN": "SessionToken",
}


def cloud(place: Place) -> Ecs:
    return Ecs(place)


class Keys(Token):
    """What requests are signed with. The command lines that this starts go on with them: what a
    pipeline signed in with is too old for others by then."""

    def __init__(self) -> None:
        super().__init__("aws", "configure", "export-credentials", "--format", "process")
        self.given = {name: os.environ.get(name, "") for name in KEYS}

    def __str__(self) -> str:
        if not self.found:
            _environment(self.given)
            found = json.loads(super().__str__())
            _environment({name: found.get(key, "") for name, key in KEYS.items()})
        return self.found


class Ecs:
    def __init__(self, place: Place) -> None:
        self.region = place.region
        self.cluster = place.name(20)
        self.family = f"{self.cluster}-app"
        self.token = Keys()

    def _post(self, service: str, body: bytes, headers: dict[str, str]) -> bytes:
        # As the command line itself may be told to go elsewhere.
        given = os.environ.get("AWS_ENDPOINT_URL")
        url = (given or f"https://{service}.{self.region}.amazonaws.com").rstrip("/") + "/"

        def sign() -> dict[str, str]:
            found = json.loads(str(self.token))
            who = Credentials(
                found["AccessKeyId"], found["SecretAccessKey"], found.get("SessionToken", "")
            )
            now = datetime.now(UTC)
            return signed(url, body, headers, who, region=self.region, service=service, moment=now)

        return sent("POST", url, self.token, sign, body)

    def _ask(self, service: str, action: str, /, **words: Any) -> Any:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{TARGETS[service]}.{action}",
        }
        return json.loads(self._post(service, json.dumps(words).encode(), headers) or b"{}")

    def _balancer(self, action: str, **words: Any) -> ElementTree.Element:
        form = urlencode([("Action", action), ("Version", "2015-12-01"), *_flat("", words)])
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        answer = self._post("elasticloadbalancing", form.encode(), headers)
        return ElementTree.fromstring(answer)

    def _service(self, name: str) -> dict[str, Any]:
        told = self._ask("ecs", "DescribeServices", cluster=self.cluster, services=[name])
        if not told["services"]:
            raise Failed(f"{self.cluster} has no service {name}: Terraform makes it.")
        found: dict[str, Any] = told["services"][0]
        return found

    def _task(self, revision: str = "") -> dict[str, Any]:
        """The newest one may be Terraform's: so its settings arrive."""
        name = f"{self.family}:{revision}" if revision else self.family
        told = self._ask("ecs", "DescribeTaskDefinition", taskDefinition=name)
        found: dict[str, Any] = told["taskDefinition"]
        return found

    def _tags(self) -> dict[str, str]:
        arn = self._service(SERVICES[0])["serviceArn"]
        told = self._ask("ecs", "ListTagsForResource", resourceArn=arn)
        return {one["key"]: one.get("value", "") for one in told["tags"]}

    def _shares(self, rule: str) -> dict[str, int]:
        """Percent by target group."""
        found = self._balancer("DescribeRules", RuleArns=[rule])
        groups = found.findall(".//{*}ForwardConfig/{*}TargetGroups/{*}member")
        told = {
            one.findtext("{*}TargetGroupArn", ""): int(one.findtext("{*}Weight", "0"))
            for one in groups
        }
        return {group: weight for group, weight in told.items() if weight}

    def recall(self) -> dict[str, str]:
        tags = self._tags()
        marks = {name: tags[f"release-{name}"] for name in MARKS if tags.get(f"release-{name}")}
        name = marks.get("live", "").partition(":")[0]
        if not name:
            shares = self._shares(tags["rule"])
            name = max(SERVICES, key=lambda one: shares.get(_group(self._service(one)), 0))
        # What it runs, also where somebody released by hand.
        marks["live"] = f"{name}:{_revision(self._service(name)['taskDefinition'])}"
        return marks

    def remember(self, **marks: str) -> None:
        """Empty and not gone: so all of them change at once."""
        tags = [{"key": f"release-{name}", "value": version} for name, version in marks.items()]
        arn = self._service(SERVICES[0])["serviceArn"]
        self._ask("ecs", "TagResource", resourceArn=arn, tags=tags)

    def make(self, image: str) -> str:
        task = self._task()
        app = _app(task)
        app["image"] = image
        # Whose lines are whose: a stream of the log begins with it.
        app["logConfiguration"]["options"]["awslogs-stream-prefix"] = f"app-{secrets.token_hex(4)}"
        words = {name: task[name] for name in TAKEN if name in task}
        made = self._ask("ecs", "RegisterTaskDefinition", **words)["taskDefinition"]
        return f"{_other(self.recall()['live'])}:{made['revision']}"

    def begin(self, version: str) -> None:
        """With as many processes as people have now; none goes while there are two versions."""
        name, _, revision = version.partition(":")
        tags, here = self._tags(), self._service(name)
        count = max(int(tags["least"]), self._service(_other(version))["desiredCount"])
        other = _revision(here["taskDefinition"]) != revision
        if other or here["desiredCount"] < count:
            self._ask(
                "ecs", "UpdateService", cluster=self.cluster, service=name, desiredCount=count,
                taskDefinition=f"{self.family}:{revision}",
                forceNewDeployment=other or not here["desiredCount"],
            )  # fmt: skip
        for one in SERVICES:
            self._bounds(one, count, max(count, int(tags["most"])))

    def ready(self, version: str) -> bool:
        name, _, revision = version.partition(":")
        found = self._service(name)
        wanted = int(found["desiredCount"])
        there = [one for one in found["deployments"] if one["runningCount"] or _first(one)]
        if not wanted or {_revision(one["taskDefinition"]) for one in there} != {revision}:
            return False
        # All of them once; later one may go and another be on its way.
        if all(one.get("rolloutState") == "COMPLETED" for one in there if _first(one)):
            wanted = (wanted + 1) // 2
        told = self._balancer("DescribeTargetHealth", TargetGroupArn=_group(found))
        states = [one.text for one in told.findall(".//{*}TargetHealth/{*}State")]
        return states.count("healthy") >= wanted

    def share(self, shares: dict[str, int]) -> None:
        rule = self._tags()["rule"]
        # Both are named, also with nothing: who is in no rule is not asked whether it is well.
        weights = dict.fromkeys(SERVICES, 0) | {
            version.partition(":")[0]: percent for version, percent in shares.items()
        }
        groups = {_group(self._service(name)): weight for name, weight in weights.items()}
        forward = {
            "TargetGroups": [
                {"TargetGroupArn": group, "Weight": weight} for group, weight in groups.items()
            ],
            "TargetGroupStickinessConfig": {"Enabled": "false"},
        }
        actions = [{"Type": "forward", "ForwardConfig": forward}]
        self._balancer("ModifyRule", RuleArn=rule, Actions=actions)
        given = self._shares(rule)
        if given != {group: weight for group, weight in groups.items() if weight}:
            raise Failed(f"The load balancer shares requests as {given}.")

    def keep(self, version: str) -> None:
        """What runs costs, also without requests. Bounds of nothing: else autoscaling, which still
        hears how busy it was, would start it again."""
        tags, other = self._tags(), _other(version)
        self._bounds(version.partition(":")[0], int(tags["least"]), int(tags["most"]))
        self._bounds(other, 0, 0)
        self._ask("ecs", "UpdateService", cluster=self.cluster, service=other, desiredCount=0)

    def _bounds(self, name: str, least: int, most: int) -> None:
        self._ask(
            "application-autoscaling", "RegisterScalableTarget", ServiceNamespace="ecs",
            ScalableDimension="ecs:service:DesiredCount", MinCapacity=least, MaxCapacity=most,
            ResourceId=f"service/{self.cluster}/{name}",
        )  # fmt: skip

    def image(self, version: str) -> str:
        return str(_app(self._task(version.partition(":")[2]))["image"])

    def figures(self, version: str, minutes: int) -> list[dict[str, Any]]:
        options = _app(self._task(version.partition(":")[2]))["logConfiguration"]["options"]
        asked = {
            "logGroupName": options["awslogs-group"],
            # PREFIX/CONTAINER/TASK
            "logStreamNamePrefix": f"{options['awslogs-stream-prefix']}/app/",
            "filterPattern": '{ $.event = "metrics.figures" }',
            "startTime": int((time.time() - minutes * 60) * 1000),
        }
        lines: list[dict[str, Any]] = []
        while True:
            found = self._ask("logs", "FilterLogEvents", **asked)
            lines += [json.loads(one["message"]) for one in found.get("events", [])]
            if not found.get("nextToken"):
                return lines
            asked["nextToken"] = found["nextToken"]


def _environment(values: dict[str, str]) -> None:
    for name, value in values.items():
        os.environ.pop(name, None)
        if value:
            os.environ[name] = value


def _other(version: str) -> str:
    """The service that this version is not."""
    return SERVICES[version.partition(":")[0] == SERVICES[0]]


def _revision(arn: str) -> str:
    """The number at the end of a task definition's name."""
    return arn.rpartition(":")[2]


def _first(deployment: dict[str, Any]) -> bool:
    return bool(deployment["status"] == "PRIMARY")


def _group(service: dict[str, Any]) -> str:
    return str(service["loadBalancers"][0]["targetGroupArn"])


def _app(task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in task["containerDefinitions"] if one["name"] == "app"
    )
    return found


def _flat(name: str, words: Any) -> Iterator[tuple[str, str]]:
    """As the load balancer takes lists and what is in them: Actions.member.1.Type."""
    if isinstance(words, dict):
        for key, word in words.items():
            yield from _flat(f"{name}.{key}" if name else key, word)
    elif isinstance(words, list):
        for at, word in enumerate(words, 1):
            yield from _flat(f"{name}.member.{at}", word)
    else:
        yield name, str(words)
