"""Container Apps: each version is a revision, and the app's ingress shares requests among them."""

from __future__ import annotations

import json
import time
from typing import Any

from place import Failed, Place, Token, ask, told

MARKS = ("live", "next", "before")
APPS = "api-version=2024-03-01"
LOGS = "api-version=2022-10-01"
RUNNING = ("Running", "RunningAtMaxScale")
POLL = 3.0
SETTLE_SECONDS = 900


def cloud(place: Place) -> ContainerApps:
    return ContainerApps(place)


class ContainerApps:
    def __init__(self, place: Place) -> None:
        def known(*words: str) -> str:
            return told("az", *words, "--output", "tsv")

        here = known("cloud", "show", "--query", "endpoints.resourceManager").rstrip("/")
        self.logs = known("cloud", "show", "--query", "endpoints.logAnalyticsResourceId").rstrip(
            "/"
        )
        group = f"/subscriptions/{known('account', 'show', '--query', 'id')}"
        # As sizes.tf makes it; the resource group is called the same.
        name = place.name(19)
        group = f"{here}{group}/resourceGroups/{name}/providers"
        self.app = f"{group}/Microsoft.App/containerApps/{name}-app"
        self.workspace = f"{group}/Microsoft.OperationalInsights/workspaces/{name}"
        given = ("az", "account", "get-access-token", "--query", "accessToken", "--output", "tsv")
        self.token = Token(*given)
        self.logs_token = Token(*given, "--resource", self.logs)

    def _ask(self, method: str, below: str = "", body: Any = None) -> Any:
        return ask(method, f"{self.app}{below}?{APPS}", self.token, body)

    def _change(self, body: dict[str, Any]) -> dict[str, Any]:
        """And wait until Azure has done it, whether or not it went well."""
        self._ask("PATCH", body=body)
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := self._ask("GET"))["properties"].get("provisioningState") == "InProgress":
            if time.monotonic() > deadline:
                raise Failed(f"{self.app} did not settle.")
            time.sleep(POLL)
        changed: dict[str, Any] = found
        return changed

    def recall(self) -> dict[str, str]:
        found = self._ask("GET")
        noted = found.get("tags") or {}
        marks = {name: noted[f"release-{name}"] for name in MARKS if noted.get(f"release-{name}")}
        if "live" not in marks:
            app = found["properties"]
            served = max(app["configuration"]["ingress"]["traffic"], key=lambda one: one["weight"])
            # Terraform's first one is given to the newest revision, whichever that is.
            newest = app.get("latestReadyRevisionName") or app["latestRevisionName"]
            marks["live"] = served.get("revisionName") or newest
        return marks

    def remember(self, **marks: str) -> None:
        """Empty and not gone: a change that leaves a tag out may keep it."""
        noted = self._ask("GET").get("tags") or {}
        self._change({"tags": noted | {f"release-{name}": one for name, one in marks.items()}})

    def make(self, image: str) -> str:
        template = self._ask("GET")["properties"]["template"]
        # Azure names each revision; who keeps a name would have to keep what it means.
        template["revisionSuffix"] = ""
        _app(template)["image"] = image
        made = self._change({"properties": {"template": template}})
        return str(made["properties"]["latestRevisionName"])

    def _revision(self, version: str) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", f"/revisions/{version}")["properties"]
        return found

    def begin(self, version: str) -> None:
        if not self._revision(version).get("active"):
            self._ask("POST", f"/revisions/{version}/activate")

    def ready(self, version: str) -> bool:
        found = self._revision(version)
        healthy = found.get("healthState") == "Healthy" and found.get("runningState") in RUNNING
        return bool(found.get("active")) and healthy

    def share(self, shares: dict[str, int]) -> None:
        wanted = {version: percent for version, percent in shares.items() if percent}
        traffic = [{"revisionName": one, "weight": percent} for one, percent in wanted.items()]
        found = self._change({"properties": {"configuration": {"ingress": {"traffic": traffic}}}})
        now = found["properties"]["configuration"]["ingress"]["traffic"]
        given = {one.get("revisionName"): one["weight"] for one in now if one["weight"]}
        if given != wanted:
            raise Failed(f"{self.app} shares requests as {given}.")

    def keep(self, version: str) -> None:
        """What runs costs, also without requests."""
        for one in self._ask("GET", "/revisions")["value"]:
            if one["properties"].get("active") and one["name"] != version:
                self._ask("POST", f"/revisions/{one['name']}/deactivate")

    def image(self, version: str) -> str:
        return str(_app(self._revision(version)["template"])["image"])

    def figures(self, version: str, minutes: int) -> list[dict[str, Any]]:
        where = ask("GET", f"{self.workspace}?{LOGS}", self.token)["properties"]["customerId"]
        query = (
            f'ContainerAppConsoleLogs_CL | where RevisionName_s == "{version}"'
            f' | where TimeGenerated > ago({minutes}m) | where Log_s has "metrics.figures"'
            " | project Log_s"
        )
        url = f"{self.logs}/v1/workspaces/{where}/query"
        [table] = ask("POST", url, self.logs_token, {"query": query})["tables"]
        return [json.loads(line) for (line,) in table["rows"]]


def _app(template: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in template["containers"] if one["name"] == "app")
    return found
