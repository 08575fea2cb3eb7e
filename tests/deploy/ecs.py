"""ECS, its load balancer, autoscaling and log as far as a release needs them, over HTTP.

Who asks must have signed as botocore does; every word there and back is looked up in its models.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from typing import Any
from urllib.parse import SplitResult, parse_qsl
from xml.sax.saxutils import escape

from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from botocore.session import get_session  # type: ignore[import-untyped]
from botocore.validate import ParamValidator  # type: ignore[import-untyped]
from pretend import Cloud, Pretended

REGION = "eu-central-1"
HERE = f"{REGION}:123456789012"
RULE = f"arn:aws:elasticloadbalancing:{HERE}:listener-rule/app/app-demo-stag/50dc/f2f7/9683"
SERVICES = ("app", "app-second")
TOOLS = {
    "aws": """case "$*" in
      "configure export-credentials --format process") [ -z "$AWS_SESSION_TOKEN" ] || exit 1
        echo t >>"$LOG.tokens"
        echo '{"AccessKeyId": "AKID", "SecretAccessKey": "SECRET", "SessionToken": "token-'\
$(grep -c t "$LOG.tokens")'"}' ;;
      *describe-task-definition*) echo '{"family": "'$4'", "containerDefinitions": [
        {"name": "app", "image": "old"}]}' ;;
      *register-task-definition*) [ "$AWS_SESSION_TOKEN" ] || exit 1
        jq -r '"\\(.family) --image \\(.containerDefinitions[0].image)"' \
        | sed s/demo-stag-// >>"$LOG"; echo arn:new ;;
      *networkConfiguration*) echo '{}' ;;
      *run-task*) echo arn:task ;;
      *exitCode*) [ -e "$LOG.no-migration" ] && echo 1 || echo 0 ;;
      *"services[0].taskDefinition"*) echo arn:new ;;
    esac"""
}
# The name of each API, of its model, and what a signature calls it.
BY_TARGET = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "Logs_20140328": "logs",
    "AnyScaleFrontendService": "application-autoscaling",
}
MODELS = {
    name: get_session().get_service_model(name)
    for name in ("ecs", "elbv2", "logs", "application-autoscaling")
}


def known(words: Any, shape: Any) -> Any:
    report = ParamValidator().validate(words, shape)
    assert not report.has_errors(), report.generate_report()
    return words


def of_form(shape: Any, form: dict[str, str], at: str = "") -> Any:
    """What a form says, as the model of the API has it."""
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            inner = f"{at}.{name}" if at else name
            if any(f"{key}.".startswith(f"{inner}.") for key in form):
                found[name] = of_form(member, form, inner)
        return found
    if shape.type_name == "list":
        inner = f"{at}.{shape.member.serialization.get('name', 'member')}"
        numbers = sorted({int(key[len(inner) + 1 :].split(".")[0]) for key in form if inner in key})
        return [of_form(shape.member, form, f"{inner}.{number}") for number in numbers]
    word = form.pop(at)
    if shape.type_name == "boolean":
        return {"true": True, "false": False}[word]
    return int(word) if shape.type_name in ("integer", "long") else word


def as_xml(shape: Any, words: Any) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, word in words.items():
            yield f"<{name}>"
            yield from as_xml(shape.members[name], word)
            yield f"</{name}>"
    elif shape.type_name == "list":
        for word in words:
            yield "<member>"
            yield from as_xml(shape.member, word)
            yield "</member>"
    else:
        yield escape(str(words))


class Ecs(Cloud):
    """Begins as Terraform leaves it: the first service has everybody, the second nobody."""

    kind = "aws"
    region = REGION
    too_old = (400, b'{"__type": "ExpiredTokenException"}')
    busy = (400, b'{"__type": "ThrottlingException"}')

    def __init__(self, pretended: Pretended) -> None:
        super().__init__(pretended)
        container = {
            "name": "app", "image": "old",
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/demo-stag/app", "awslogs-stream-prefix": "app"},
            },
        }  # fmt: skip
        scanner = {"name": "scanner", "image": "clamav"}
        self.tasks: dict[int, dict[str, Any]] = {}
        self._register({"family": "demo-stag-app", "containerDefinitions": [scanner, container]})
        # Terraform came again, and its settings are newer than what runs.
        self._register({"cpu": "1024", **json.loads(json.dumps(self.tasks[1]))})
        self.services = {
            name: {"revision": 1, "desired": 2 - 2 * at, "fresh": 0}
            for at, name in enumerate(SERVICES)
        }
        self.weights = {name: 100 - 100 * at for at, name in enumerate(SERVICES)}
        self.bounds = {name: (2 - 2 * at, 6 - 6 * at) for at, name in enumerate(SERVICES)}
        self.tags = {"rule": RULE, "least": "2", "most": "6", "mine": "kept"}

    def environment(self, address: str) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": address}

    def token(self, url: SplitResult, headers: Message, raw: bytes) -> str:
        """Who signed this, if it was signed."""
        named = headers["Authorization"]
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=AKID/\d{8}/([\w-]+)/([\w-]+)/aws4_request, ?"
            r"SignedHeaders=([\w;-]+), ?Signature=\w+",
            named,
        )
        assert found, named
        assert found[1] == REGION
        assert {"host", "x-amz-date", "x-amz-security-token"} <= {*found[3].split(";")}
        given = {one: headers[one] for one in found[3].split(";")}
        address = f"http://{headers['Host']}{url.path}"
        request = AWSRequest("POST", address, given, raw)
        request.context["timestamp"] = headers["X-Amz-Date"]
        theirs = SigV4Auth(Credentials("AKID", "SECRET"), found[2], REGION)
        text = theirs.string_to_sign(request, theirs.canonical_request(request))
        assert named.endswith(f"Signature={theirs.signature(text, request)}")
        sent = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert abs((datetime.now(UTC) - sent).total_seconds()) < 300
        assert found[2] == self._api(headers).replace("elbv2", "elasticloadbalancing")
        return f"Bearer {headers['X-Amz-Security-Token']}"

    @staticmethod
    def _api(headers: Message) -> str:
        target = headers.get("X-Amz-Target")
        return BY_TARGET[target.partition(".")[0]] if target else "elbv2"

    def said(self, method: str, url: SplitResult, headers: Message, raw: bytes) -> bytes:
        assert (method, url.path, url.query) == ("POST", "/", "")
        api = self._api(headers)
        if api != "elbv2":
            assert headers["Content-Type"] == "application/x-amz-json-1.1"
            asked = headers["X-Amz-Target"].partition(".")[2]
            model = MODELS[api].operation_model(asked)
            told = self.does(asked, known(json.loads(raw), model.input_shape))
            return json.dumps(known(told, model.output_shape)).encode()
        form = dict(parse_qsl(raw.decode(), strict_parsing=True))
        asked = form.pop("Action")
        assert form.pop("Version") == MODELS[api].api_version
        model = MODELS[api].operation_model(asked)
        words = known(of_form(model.input_shape, form), model.input_shape)
        assert not form, "words that nobody knows"
        told = known(self.does(asked, words), model.output_shape)
        result = model.output_shape.serialization["resultWrapper"]
        body = "".join(as_xml(model.output_shape, told))
        space = MODELS[api].metadata["xmlNamespace"]
        return (
            f'<{asked}Response xmlns="{space}"><{result}>{body}</{result}></{asked}Response>'
        ).encode()

    def does(self, asked: str, words: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", asked).lower())(words)
        if asked.startswith(("Register", "Update", "Tag", "Modify")):
            # An alarm of a minute ago may still ask for more, within the bounds.
            for name, one in self.services.items():
                if not one["desired"]:
                    self._count(name, self.bounds[name][0])
            self.pretended.changed()
            self.pretended.touched()
        return told

    def shares(self) -> dict[str, int]:
        return {self.meets(name): part for name, part in self.weights.items() if part}

    def meets(self, name: str) -> str:
        one = self.services[name]
        image = self.image(one["revision"])
        return image if one["desired"] and not one["fresh"] else "nobody"

    def image(self, revision: int) -> str:
        return str(self.app(revision)["image"])

    def app(self, revision: int) -> dict[str, Any]:
        found: dict[str, Any] = self.tasks[revision]["containerDefinitions"][1]
        return found

    def running(self) -> set[str]:
        return {self.image(one["revision"]) for one in self.services.values() if one["desired"]}

    def _register(self, words: dict[str, Any]) -> dict[str, Any]:
        number = len(self.tasks) + 1
        self.tasks[number] = words
        return {**words, "revision": number, "taskDefinitionArn": self._task(number)}

    def release_by_hand(self, service: str, image: str) -> None:
        task = json.loads(json.dumps(self.tasks[len(self.tasks)]))
        task["containerDefinitions"][1]["image"] = image
        self.services[service]["revision"] = self._register(task)["revision"]

    @staticmethod
    def _task(number: int) -> str:
        return f"arn:aws:ecs:{HERE}:task-definition/demo-stag-app:{number}"

    @staticmethod
    def _group(name: str) -> str:
        return f"arn:aws:elasticloadbalancing:{HERE}:targetgroup/demo-stag-{name}/73e2"

    def describe_services(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["cluster"] == "demo-stag"
        [name] = words["services"]
        one = self.services[name]
        one["fresh"] = max(0, one["fresh"] - 1)
        works = self.image(one["revision"]) not in self.pretended.broken
        deployment = {
            "status": "PRIMARY", "taskDefinition": self._task(one["revision"]),
            "desiredCount": one["desired"], "runningCount": one["desired"],
            "rolloutState": "COMPLETED" if works and not one["fresh"] else "IN_PROGRESS",
        }  # fmt: skip
        service = {
            "serviceArn": f"arn:aws:ecs:{HERE}:service/demo-stag/{name}", "serviceName": name,
            "desiredCount": one["desired"], "runningCount": one["desired"],
            "taskDefinition": self._task(one["revision"]), "deployments": [deployment],
            "loadBalancers": [{"targetGroupArn": self._group(name), "containerName": "app"}],
        }  # fmt: skip
        return {"services": [service]}

    def update_service(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["cluster"] == "demo-stag"
        one, has = self.services[words["service"]], self.weights[words["service"]]
        number = int(words.get("taskDefinition", f":{one['revision']}").rpartition(":")[2])
        new = number != one["revision"] or words.get("forceNewDeployment", False)
        assert not has or (not new and words["desiredCount"]), "people have it"
        self._count(words["service"], words["desiredCount"])
        one |= {"revision": number, "fresh": 3 if new else one["fresh"]}
        return {}

    def describe_task_definition(self, words: dict[str, Any]) -> dict[str, Any]:
        family, _, number = words["taskDefinition"].partition(":")
        assert family == "demo-stag-app"
        return {"taskDefinition": self.tasks[int(number or len(self.tasks))]}

    def register_task_definition(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["cpu"] == "1024", "settings of now"
        assert words["containerDefinitions"][0]["image"] == "clamav"
        return {"taskDefinition": self._register(words)}

    def list_tags_for_resource(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["resourceArn"].endswith(":service/demo-stag/app")
        return {"tags": [{"key": key, "value": value} for key, value in self.tags.items()]}

    def tag_resource(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["resourceArn"].endswith(":service/demo-stag/app")
        self.tags |= {one["key"]: one["value"] for one in words["tags"]}
        return {}

    def register_scalable_target(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["ServiceNamespace"] == "ecs"
        assert words["ScalableDimension"] == "ecs:service:DesiredCount"
        cluster, name = words["ResourceId"].removeprefix("service/").split("/")
        assert cluster == "demo-stag"
        least, most = words["MinCapacity"], words["MaxCapacity"]
        self.bounds[name] = least, most
        self._count(name, min(most, max(least, self.services[name]["desired"])))
        return {}

    def _count(self, name: str, count: int) -> None:
        """What is started is not there at once."""
        one = self.services[name]
        one["fresh"] = 3 if count > one["desired"] else one["fresh"]
        one["desired"] = count

    def describe_rules(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words == {"RuleArns": [RULE]}
        groups = [
            {"TargetGroupArn": self._group(name), "Weight": part}
            for name, part in self.weights.items()
        ]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        return {"Rules": [{"RuleArn": RULE, "Actions": [action]}]}

    def modify_rule(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["RuleArn"] == RULE
        [action] = words["Actions"]
        assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": False}
        given = {
            one["TargetGroupArn"]: one["Weight"] for one in action["ForwardConfig"]["TargetGroups"]
        }
        assert {*given} == {self._group(name) for name in SERVICES}, "who is not named is not asked"
        assert sum(given.values()) == 100
        self.weights = {name: given[self._group(name)] for name in SERVICES}
        return self.describe_rules({"RuleArns": [RULE]})

    def describe_target_health(self, words: dict[str, Any]) -> dict[str, Any]:
        [name] = [one for one in SERVICES if self._group(one) == words["TargetGroupArn"]]
        one = self.services[name]
        works = self.image(one["revision"]) not in self.pretended.broken and not one["fresh"]
        state = {"State": "healthy" if works else "unhealthy"}
        told = [{"TargetHealth": state} for _ in range(one["desired"])]
        # What goes is still there for a while.
        return {"TargetHealthDescriptions": [*told, {"TargetHealth": {"State": "draining"}}]}

    def filter_log_events(self, words: dict[str, Any]) -> dict[str, Any]:
        assert words["logGroupName"] == "/demo-stag/app"
        assert words["filterPattern"] == '{ $.event = "metrics.figures" }'
        since = datetime.fromtimestamp(words["startTime"] / 1000, UTC)
        assert 290 < (datetime.now(UTC) - since).total_seconds() < 310
        prefix = words["logStreamNamePrefix"].removesuffix("/app/")
        options = [self.app(one)["logConfiguration"]["options"] for one in self.tasks]
        numbers = [
            number
            for number, one in enumerate(options, 1)
            if one["awslogs-stream-prefix"] == prefix and number != 2
        ]
        assert len(numbers) == 1, "whose lines are whose"
        told = self.pretended.lines(self.image(numbers[0]))
        # A page may hold nothing, and there is more.
        at = int(words.get("nextToken", -1))
        events = [{"message": json.dumps(one)} for one in told[at : at + 1]] if at >= 0 else []
        return {"events": events, **({"nextToken": str(at + 1)} if at + 1 < len(told) else {})}
