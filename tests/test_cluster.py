"""What the app stands on in Azure's cluster: well formed, and each mistake in it is seen."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster import Document, of_kind, problems
from conftest import ROOT
from test_chart import rendered

CHART = ROOT / "template" / "deploy" / "cluster"
AZURE = (
    "namespace=demo-production",
    "releases.kind=User",
    "releases.names={00000000}",
    "store.azure.vault=https://demo.vault.azure.net",
    "store.azure.tenant=tenant",
    "gateway.id=/subscriptions/1/gateway",
    "gateway.frontend=app",
    "gateway.firewall=/subscriptions/1/firewall",
    "gateway.domain=app.example.com",
    "gateway.email=operations@example.com",
    "files.account=demoprod",
    "files.share=files",
)


def open_ways(documents: list[Document]) -> list[str]:
    """What a release could take that is not its own, or a reader that is nobody's."""
    found = []
    [gateway] = of_kind(documents, "Gateway")
    for one in gateway["spec"]["listeners"]:
        allowed: dict[str, Any] = one["allowedRoutes"]["namespaces"]
        named = allowed.get("selector", {}).get("matchLabels")
        if one["port"] == 80 and allowed["from"] != "Same":
            found.append("a release may prove certificates")
        if one["port"] == 443 and named != {"kubernetes.io/metadata.name": "demo-production"}:
            found.append("others bring routes")
    places = [one["metadata"]["namespace"] for one in of_kind(documents, "Role")]
    if gateway["metadata"]["namespace"] in places:
        found.append("a release may change the gateway")
    [store] = of_kind(documents, "ClusterSecretStore")
    if store["spec"].get("conditions") != [{"namespaces": ["demo-production"]}]:
        found.append("others read the app's secrets")
    if not of_kind(documents, "WebApplicationFirewallPolicy"):
        found.append("there is no firewall")
    [volume] = of_kind(documents, "PersistentVolume")
    if volume["spec"]["persistentVolumeReclaimPolicy"] != "Retain":
        found.append("files go with their claim")
    [bound] = of_kind(documents, "RoleBinding")
    if [one["kind"] for one in bound["subjects"]] != ["User"]:
        found.append("a group may release")
    return found


def test_it_is_whole() -> None:
    documents = rendered(CHART, *AZURE, environment="")

    assert [*problems(documents), *open_ways(documents)] == []
    [policy] = of_kind(documents, "FrontendTLSPolicy")
    assert policy["spec"]["default"]["policyType"]["name"] == "2023-06-S"


def test_without_files_nothing_is_mounted() -> None:
    documents = rendered(CHART, *AZURE, "files.account=", "files.share=", environment="")

    assert problems(documents) == []
    assert not of_kind(documents, "PersistentVolume", "PersistentVolumeClaim", "ExternalSecret")


PLANTED = [
    ("gateway.yaml", "allowedRoutes: {namespaces: {from: Same}}",
     "allowedRoutes: {namespaces: {from: All}}", "a release may prove certificates"),
    ("gateway.yaml", "from: Selector", "from: Some", "Some"),
    ("gateway.yaml", "{kubernetes.io/metadata.name: {{ $.Values.namespace }}}", "{a: b}",
     "others bring routes"),
    ("gateway.yaml", "gatewayClassName:", "className:", "className"),
    ("gateway.yaml", "name: 2023-06-S", "name: 2016-08", "2016-08"),
    ("gateway.yaml", "kind: WebApplicationFirewallPolicy", "kind: WebFirewallPolicy",
     "nobody knows this kind"),
    ("gateway.yaml", "targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: gateway,",
     "targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: door,",
     "there is no Gateway/door"),
    ("gateway.yaml", "solvers:", "solver:", "solver"),
    ("gateway.yaml", "server: https:", "server: http:", "server"),
    ("store.yaml", "authType: WorkloadIdentity", "authType: Key", "authType"),
    ("store.yaml", "serviceAccountRef:", "serviceAccount:", "serviceAccount"),
    ("store.yaml", "- namespaces: [{{ .Values.namespace }}]", "- {}",
     "others read the app's secrets"),
    ("files.yaml", "volumeName: {{ $.Values.namespace }}-files", "volumeName: other",
     "there is no PersistentVolume/other"),
    ("files.yaml", "persistentVolumeReclaimPolicy: Retain",
     "persistentVolumeReclaimPolicy: Delete", "files go with their claim"),
    ("files.yaml", "nodeStageSecretRef:", "nodeSecretRef:", "nodeSecretRef"),
    ("releases.yaml", "namespace: {{ .Values.namespace }}\nrules:",
     "namespace: gateway-system\nrules:", "a release may change the gateway"),
    ("releases.yaml", "kind: {{ $.Values.releases.kind }}", "kind: Group", "a group may release"),
]  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str, str, str], Path]:
    def changed(name: str, old: str, new: str) -> Path:
        file = shutil.copytree(CHART, tmp_path / "cluster") / "templates" / name
        source = file.read_text()
        assert old in source, f"{name} has no {old}"
        file.write_text(source.replace(old, new))
        return tmp_path / "cluster"

    return changed


@pytest.mark.parametrize(("name", "old", "new", "told"), PLANTED, ids=[one[3] for one in PLANTED])
def test_a_planted_mistake_is_seen(
    copy: Callable[[str, str, str], Path], name: str, old: str, new: str, told: str
) -> None:
    documents = rendered(copy(name, old, new), *AZURE, environment="")

    found = [*problems(documents), *open_ways(documents)]
    assert any(told in one for one in found), found
