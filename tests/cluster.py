"""What a cluster would say about the chart, and what it would not say but we mind.

`problems` looks at rendered documents only, so that it can be shown to see a planted mistake.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate  # type: ignore[import-untyped]

Document = dict[str, Any]

SCHEMAS = Path(__file__).parent / "schemas"
KUBERNETES = (
    Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.32.0-local-strict"
)
RUNNING = ("Deployment", "Rollout")


def problems(documents: list[Document]) -> list[str]:
    found = [one for document in documents for one in _malformed(document)]
    names = [name_of(document) for document in documents]
    found += [f"{name} is there twice" for name in set(names) if names.count(name) > 1]
    for document in documents:
        if pod := pod_of(document):
            found += [f"{name_of(document)}: {one}" for one in _lax(pod["spec"])]
    return [*found, *_unprotected(documents), *_open(documents), *_dangling(documents)]


def name_of(document: Document) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def of_kind(documents: Iterable[Document], *kinds: str) -> list[Document]:
    return [one for one in documents if one["kind"] in kinds]


def pod_of(document: Document) -> Document | None:
    if document["kind"] in (*RUNNING, "Job"):
        template: Document = document["spec"]["template"]
        return template
    return None


def labels_of(document: Document) -> dict[str, str]:
    pod = pod_of(document) or {}
    labels: dict[str, str] = pod.get("metadata", {}).get("labels", {})
    return labels


@cache
def _schema(kind: str, version: str) -> jsonschema_rs.Draft202012Validator | None:
    """Ours, or Kubernetes' own."""
    if (SCHEMAS / f"{kind}.json").exists():
        return jsonschema_rs.Draft202012Validator(_read(SCHEMAS / f"{kind}.json"))
    group, _, number = version.rpartition("/")
    file = KUBERNETES / f"{kind.lower()}-{group.split('.')[0]}-{number}.json".replace("--", "-")
    if not file.exists():
        return None
    return jsonschema_rs.Draft202012Validator(_read(file), registry=_definitions())


@cache
def _definitions() -> jsonschema_rs.Registry:
    definitions = _read(KUBERNETES / "_definitions.json")
    return jsonschema_rs.Registry([(definitions["$id"], definitions)])


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _malformed(document: Document) -> Iterator[str]:
    name = name_of(document)
    schema = _schema(document["kind"], document["apiVersion"])
    if schema is None:
        yield f"{name}: nobody knows this kind; add its schema"
        return
    for error in schema.iter_errors(document):
        yield f"{name}: {'.'.join(map(str, error.instance_path))} {error.message[:300]}"
    if document["kind"] == "Rollout":
        spec = {key: document["spec"][key] for key in ("selector", "template")}
        usual = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
        yield from _malformed(document | usual)


def _lax(spec: Document) -> Iterator[str]:
    """What the restricted pod security standard and our own rules mind."""
    security = spec.get("securityContext", {})
    if spec.get("automountServiceAccountToken") is not False:
        yield "a token of the cluster is mounted"
    if not security.get("runAsNonRoot"):
        yield "may run as root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "no seccomp profile"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f"{key} is on"
    for volume in spec.get("volumes", []):
        if "hostPath" in volume:
            yield "a folder of the node is mounted"
        if "emptyDir" in volume and not volume["emptyDir"].get("sizeLimit"):
            yield f"{volume['name']} has no limit"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        yield from _lax_container(container)


def _lax_container(container: Document) -> Iterator[str]:
    names = [one["name"] for one in container.get("env", [])]
    yield from (f"{name} is said twice" for name in set(names) if names.count(name) > 1)
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield "may gain privileges"
    if not security.get("readOnlyRootFilesystem"):
        yield "may write to its image"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    for kind in ("requests", "limits"):
        for what in ("cpu", "memory", "ephemeral-storage"):
            if what not in container.get("resources", {}).get(kind, {}):
                yield f"no {kind} of {what}"
    _, _, tag = container["image"].rpartition("/")[2].partition(":")
    if not tag or tag == "latest":
        yield f"{container['image']} says no version"


def _selects(selector: Document, labels: dict[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    return all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )


def _unprotected(documents: list[Document]) -> Iterator[str]:
    budgets = of_kind(documents, "PodDisruptionBudget")
    running = of_kind(documents, *RUNNING)
    for one in running:
        if not any(_selects(budget["spec"]["selector"], labels_of(one)) for budget in budgets):
            yield f"{name_of(one)}: no disruption budget"
        probed = one["spec"]["template"]["spec"]["containers"][0]
        if probed.get("ports") and "-app" in name_of(one) and "readinessProbe" not in probed:
            yield f"{name_of(one)}: nobody asks whether it is ready"
    for budget in budgets:
        if not any(_selects(budget["spec"]["selector"], labels_of(one)) for one in running):
            yield f"{name_of(budget)} protects nothing"


def _open(documents: list[Document]) -> Iterator[str]:
    """Pods that no default-deny holds, and openings that are wider than they say."""
    policies = of_kind(documents, "NetworkPolicy")
    closed = [
        one["spec"]["podSelector"]
        for one in policies
        if set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not one["spec"].get("ingress")
        and not one["spec"].get("egress")
    ]
    for one in documents:
        if pod_of(one) and not any(_selects(selector, labels_of(one)) for selector in closed):
            yield f"{name_of(one)}: no policy closes its network"
    for policy in policies:
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, []):
                if not rule.get(side) or not rule.get("ports"):
                    yield f"{name_of(policy)}: open to everybody"
                for peer in rule.get(side) or []:
                    block = peer.get("ipBlock", {})
                    if block.get("cidr") == "0.0.0.0/0" and "169.254.0.0/16" not in block.get(
                        "except", []
                    ):
                        yield f"{name_of(policy)}: reaches the cloud's own addresses"


def _dangling(documents: list[Document]) -> Iterator[str]:
    """Names that lead nowhere: nothing but a cluster at work would tell."""
    names = {name_of(one) for one in documents}
    for one in of_kind(documents, "Service"):
        chosen = [
            other
            for other in of_kind(documents, *RUNNING)
            if _selects({"matchLabels": one["spec"]["selector"]}, labels_of(other))
        ]
        ports = {
            port["name"]
            for other in chosen
            for container in other["spec"]["template"]["spec"]["containers"]
            for port in container.get("ports", [])
        }
        if not {port["targetPort"] for port in one["spec"]["ports"]} <= ports:
            yield f"{name_of(one)}: no pod has this port"
    for one, wanted in _references(documents):
        if wanted not in names:
            yield f"{name_of(one)}: there is no {wanted}"


def _references(documents: list[Document]) -> Iterator[tuple[Document, str]]:
    for one in documents:
        spec = one.get("spec", {})
        if one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
            target = spec["scaleTargetRef"]
            yield one, f"{target.get('kind', 'Deployment')}/{target['name']}"
        for trigger in spec.get("triggers", []) if one["kind"] == "ScaledObject" else []:
            if "authenticationRef" in trigger:
                yield one, f"TriggerAuthentication/{trigger['authenticationRef']['name']}"
        if one["kind"] == "Ingress":
            for path in spec["rules"][0]["http"]["paths"]:
                yield one, f"Service/{path['backend']['service']['name']}"
        if one["kind"] == "HTTPRoute":
            for backend in spec["rules"][0].get("backendRefs", []):
                yield one, f"Service/{backend['name']}"
        if "targetRef" in spec:
            yield one, f"{spec['targetRef']['kind']}/{spec['targetRef']['name']}"
        if one["kind"] == "PersistentVolumeClaim" and "volumeName" in spec:
            yield one, f"PersistentVolume/{spec['volumeName']}"
        if one["kind"] == "Rollout":
            yield from ((one, wanted) for wanted in _needed(spec["strategy"]))
        if (pod := pod_of(one)) and "serviceAccountName" in pod["spec"]:
            yield one, f"ServiceAccount/{pod['spec']['serviceAccountName']}"


def _needed(part: Any) -> Iterator[str]:
    """What a strategy of Argo Rollouts names, however deep."""
    kinds = {
        "templateName": "AnalysisTemplate",
        "stableIngress": "Ingress",
        "httpRoute": "HTTPRoute",
    }
    if isinstance(part, list):
        for one in part:
            yield from _needed(one)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key.endswith("Service"):
                yield f"Service/{value}"
            elif key in kinds:
                yield f"{kinds[key]}/{value}"
            else:
                yield from _needed(value)
