"""Cloud Run and Cloud Logging as far as a release needs them, over HTTP.

Every word there and back must be one of Google's: it goes through messages of their library.
"""

import json
import re
from typing import Any

from google.cloud import run_v2
from google.protobuf import json_format  # type: ignore[import-untyped]
from pretend import Cloud, Pretended

PATH = "projects/demo/locations/europe-west3/services/demo-stag-app"
TOOLS = {
    "gcloud": """case "$*" in
      "config get-value project") echo demo ;;
      "auth print-access-token") echo t >>"$LOG.tokens"; echo "token-$(grep -c t "$LOG.tokens")" ;;
      *"jobs execute"*) [ ! -e "$LOG.no-migration" ] ;;
      *) echo "$*" >>"$LOG" ;;
    esac"""
}


def of_google(message: Any, given: dict[str, Any]) -> dict[str, Any]:
    read = json_format.ParseDict(given, message.pb(message()))
    found: dict[str, Any] = json_format.MessageToDict(read)
    return found


class CloudRun(Cloud):
    """Begins as Terraform leaves it: one revision, which has everything as the newest."""

    kind = "gcp"
    region = "europe-west3"

    def __init__(self, pretended: Pretended) -> None:
        super().__init__(pretended)
        self.number = 0
        self.generation = 1
        self.template: dict[str, Any] = {
            "revision": "demo-stag-app-00001-abc",
            "containers": [{"name": "app", "image": "old"}, {"name": "scanner", "image": "clamav"}],
        }
        self.annotations: dict[str, str] = {"mine": "kept"}
        self.revisions: dict[str, dict[str, Any]] = {}
        self.traffic: list[dict[str, Any]] = []
        self._revise()

    def environment(self, address: str) -> dict[str, str]:
        return {
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": address,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": address,
        }

    def shares(self) -> dict[str, int]:
        newest = [*self.revisions][-1]
        return {
            self.image(one.get("revision", newest)): one["percent"] for one in self.traffic
        } or {self.image(newest): 100}

    def image(self, revision: str) -> str:
        return str(self.revisions[revision]["containers"][0]["image"])

    def running(self) -> set[str]:
        return {*self.shares()}

    def _revise(self) -> None:
        if self.revisions and [*self.revisions.values()][-1] == self.template:
            return
        self.number += 1
        self.revisions[f"demo-stag-app-{self.number:05}-abc"] = json.loads(
            json.dumps(self.template)
        )

    def _service(self) -> dict[str, Any]:
        newest = [*self.revisions][-1]
        stopped = [one for one in self.revisions if self.image(one) in self.pretended.broken]
        traffic = self.traffic or [
            {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}
        ]
        return of_google(
            run_v2.Service,
            {
                "name": PATH,
                "template": self.template,
                "annotations": self.annotations,
                "generation": str(self.generation),
                "observedGeneration": str(self.generation),
                "traffic": traffic,
                "trafficStatuses": traffic,
                "latestCreatedRevision": f"{PATH}/revisions/{newest}",
                "latestReadyRevision": f"{PATH}/revisions/"
                + [one for one in self.revisions if one not in stopped][-1],
            },
        )

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        if path == f"/v2/{PATH}" and method == "PATCH":
            given = of_google(run_v2.Service, body)
            for name in query["updateMask"].split(","):
                setattr(self, name, given.get(name, {} if name == "annotations" else []))
            named = self.template.get("revision") in self.revisions
            assert query["updateMask"] != "template" or not named, "a name can be given once only"
            assert all(one["revision"] in self.revisions for one in self.traffic)
            assert sum(one["percent"] for one in self.traffic) == 100 or not self.traffic
            self.generation += 1
            self._revise()
            self.pretended.changed()
            return {"name": "projects/demo/locations/europe-west3/operations/1"}
        if path == f"/v2/{PATH}":
            return self._service()
        if found := re.fullmatch(rf"/v2/{PATH}/revisions/(\S+)", path):
            state = "FAILED" if self.image(found[1]) in self.pretended.broken else "SUCCEEDED"
            ready = [{"type": "Ready", "state": f"CONDITION_{state}"}]
            containers = self.revisions[found[1]]["containers"]
            return of_google(
                run_v2.Revision,
                {"name": path[4:], "containers": containers, "conditions": ready},
            )
        if path == "/v2/entries:list" and method == "POST":
            assert body["resourceNames"] == [
                "projects/demo/locations/global/buckets/_Default/views/demo-stag-figures"
            ]
            [revision] = re.findall(r'revision_name="(\S+)"', body["filter"])
            told = self.pretended.lines(self.image(revision))
            # One page holds one, as Google may give fewer than were asked for.
            at = int(body.get("pageToken", 0))
            more = {"nextPageToken": str(at + 1)} if at + 1 < len(told) else {}
            return {"entries": [{"jsonPayload": one} for one in told[at : at + 1]], **more}
        raise AssertionError(f"{method} {path}")
