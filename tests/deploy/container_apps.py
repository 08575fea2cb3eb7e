"""Container Apps and Log Analytics as far as a release needs them, over HTTP, in Azure's words."""

import json
import re
from typing import Any

from pretend import Cloud, Pretended

GROUP = "/subscriptions/paid/resourceGroups/demo-stag/providers"
APP = f"{GROUP}/Microsoft.App/containerApps/demo-stag-app"
WORKSPACE = f"{GROUP}/Microsoft.OperationalInsights/workspaces/demo-stag"
TOOLS = {
    "az": """case "$*" in
      "cloud show"*) echo "$HERE" ;;
      "account show"*) echo paid ;;
      *get-access-token*) echo t >>"$LOG.tokens"; echo "token-$(grep -c t "$LOG.tokens")" ;;
      *"job start"*) echo run-1 ;;
      *properties.status*) [ -e "$LOG.no-migration" ] && echo Failed || echo Succeeded ;;
      *latestReadyRevisionName*) echo true ;;
      *) echo "$*" >>"$LOG" ;;
    esac"""
}


class ContainerApps(Cloud):
    """Begins as Terraform leaves it: one revision, which has everything as the newest."""

    kind = "azure"
    region = "germanywestcentral"

    def __init__(self, pretended: Pretended) -> None:
        super().__init__(pretended)
        self.template: dict[str, Any] = {
            "revisionSuffix": "first",
            "containers": [{"name": "scanner", "image": "clamav"}, {"name": "app", "image": "old"}],
        }
        self.tags = {"mine": "kept"}
        self.traffic: list[dict[str, Any]] = [{"latestRevision": True, "weight": 100}]
        self.revisions: dict[str, dict[str, Any]] = {}
        self._revise()

    def environment(self, address: str) -> dict[str, str]:
        return {"HERE": address}

    def shares(self) -> dict[str, int]:
        newest = [*self.revisions][-1]
        return {self.image(one.get("revisionName", newest)): one["weight"] for one in self.traffic}

    def image(self, revision: str) -> str:
        return str(self.revisions[revision]["template"]["containers"][1]["image"])

    def running(self) -> set[str]:
        return {self.image(name) for name, one in self.revisions.items() if one["active"]}

    def _revise(self) -> None:
        """A name that is given can be given once; without one, Azure finds one."""
        newest = [*self.revisions.values()][-1]["template"] if self.revisions else {}
        if newest.get("containers") == self.template["containers"]:
            return
        name = self.template["revisionSuffix"] or f"{len(self.revisions):07}"
        assert f"demo-stag-app--{name}" not in self.revisions
        copy = json.loads(json.dumps(self.template))
        self.revisions[f"demo-stag-app--{name}"] = {"active": True, "template": copy}

    def _revision(self, name: str) -> dict[str, Any]:
        one = self.revisions[name]
        works = one["active"] and self.image(name) not in self.pretended.broken
        return {
            "name": name,
            "properties": one
            | {
                "healthState": "Healthy" if works else "Unhealthy",
                "runningState": "Running" if works else "Stopped",
                "provisioningState": "Provisioned",
            },
        }

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        if path == APP and method == "PATCH":
            given = body.get("properties", {})
            assert not {*body} - {"properties", "tags"}
            assert not {*given} - {"template", "configuration"}
            self.tags = body.get("tags", self.tags)
            assert all(isinstance(one, str) for one in self.tags.values())
            traffic = given.get("configuration", {}).get("ingress", {}).get("traffic", self.traffic)
            for one in traffic if traffic is not self.traffic else []:
                assert self.revisions[one["revisionName"]]["active"], "what is stopped gets nobody"
            assert sum(one["weight"] for one in traffic) == 100
            self.traffic = traffic
            self.template = given.get("template", self.template)
            self._revise()
            self.pretended.changed()
            return {}
        if path == APP:
            newest = [*self.revisions][-1]
            return {
                "tags": self.tags,
                "properties": {
                    "provisioningState": "Succeeded",
                    "template": self.template,
                    "latestRevisionName": newest,
                    "latestReadyRevisionName": newest,
                    "configuration": {"ingress": {"traffic": self.traffic}},
                },
            }
        if path == f"{APP}/revisions":
            return {"value": [self._revision(name) for name in self.revisions]}
        if found := re.fullmatch(rf"{APP}/revisions/([^/]+)/(de)?activate", path):
            assert method == "POST"
            self.revisions[found[1]]["active"] = not found[2]
            served = {one.get("revisionName") for one in self.traffic if one["weight"]}
            assert not found[2] or found[1] not in served, "people have it"
            return None
        if found := re.fullmatch(rf"{APP}/revisions/([^/]+)", path):
            return self._revision(found[1])
        if path == WORKSPACE:
            return {"properties": {"customerId": "the-workspace"}}
        if path == "/v1/workspaces/the-workspace/query" and method == "POST":
            [revision] = re.findall(r'RevisionName_s == "(\S+)"', body["query"])
            told = self.pretended.lines(self.image(revision))
            return {"tables": [{"rows": [[json.dumps(one)] for one in told]}]}
        raise AssertionError(f"{method} {path}")
