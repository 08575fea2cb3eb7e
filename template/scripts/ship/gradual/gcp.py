"""Cloud Run: each version is a revision, and the service shares requests among revisions."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from place import Failed, Place, Token, ask, told

REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
MARKS = ("live", "next", "before")
POLL = 2.0
SETTLE_SECONDS = 600


def cloud(place: Place) -> CloudRun:
    return CloudRun(place)


def endpoint(service: str) -> str:
    """As gcloud itself may be told to go elsewhere."""
    given = os.environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}")
    return (given or f"https://{service}.googleapis.com/").rstrip("/")


class CloudRun:
    def __init__(self, place: Place) -> None:
        self.project = told("gcloud", "config", "get-value", "project")
        self.token = Token("gcloud", "auth", "print-access-token")
        self.service, self.view = f"{place.name(20)}-app", f"{place.name(20)}-figures"
        self.path = f"projects/{self.project}/locations/{place.region}/services/{self.service}"

    def _ask(self, method: str, url: str, body: Any = None) -> Any:
        return ask(method, url, self.token, body)

    def _read(self, below: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", f"{endpoint('run')}/v2/{self.path}{below}")
        return found

    def _change(self, mask: str, **values: Any) -> dict[str, Any]:
        """And wait until Google has done it, whether or not it went well."""
        url = f"{endpoint('run')}/v2/{self.path}?updateMask={mask}"
        self._ask("PATCH", url, {"name": self.path, **values})
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := self._read()).get("reconciling") or (
            found.get("observedGeneration") != found.get("generation")
        ):
            if time.monotonic() > deadline:
                raise Failed(f"{self.service} did not settle.")
            time.sleep(POLL)
        return found

    def recall(self) -> dict[str, str]:
        found = self._read()
        noted = found.get("annotations", {})
        marks = {name: noted[f"release-{name}"] for name in MARKS if noted.get(f"release-{name}")}
        if "live" not in marks:
            served = max(found.get("trafficStatuses", [{}]), key=lambda one: one.get("percent", 0))
            # Terraform's first one is given to the newest revision, whichever that is.
            marks["live"] = served.get("revision") or _last(found["latestReadyRevision"])
        return marks

    def remember(self, **marks: str) -> None:
        noted = self._read().get("annotations", {})
        noted |= {f"release-{name}": version for name, version in marks.items()}
        self._change("annotations", annotations={name: one for name, one in noted.items() if one})

    def make(self, image: str) -> str:
        template = self._read()["template"]
        # Google names each revision; who keeps a name would have to keep what it means.
        template.pop("revision", None)
        next(one for one in template["containers"] if one.get("name") == "app")["image"] = image
        return _last(self._change("template", template=template)["latestCreatedRevision"])

    def begin(self, version: str) -> None:
        """What gets no requests costs nothing and starts with the first one."""

    def ready(self, version: str) -> bool:
        conditions = self._read(f"/revisions/{version}").get("conditions", [])
        states = {one["type"]: one.get("state") for one in conditions}
        return states.get("Ready") == "CONDITION_SUCCEEDED"

    def share(self, shares: dict[str, int]) -> None:
        traffic = [
            {"type": REVISION, "revision": version, "percent": percent}
            for version, percent in shares.items()
            if percent
        ]
        found = self._change("traffic", traffic=traffic)
        given = {
            one.get("revision"): one.get("percent", 0) for one in found.get("trafficStatuses", [])
        }
        if given != {one["revision"]: one["percent"] for one in traffic}:
            raise Failed(f"{self.service} shares requests as {given}.")

    def keep(self, version: str) -> None:
        """The others end by themselves when they get no requests."""

    def image(self, version: str) -> str:
        containers = self._read(f"/revisions/{version}")["containers"]
        return str(next(one for one in containers if one.get("name") == "app")["image"])

    def figures(self, version: str, minutes: int) -> list[dict[str, Any]]:
        since = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
        asked = {
            # All that the pipeline may read.
            "resourceNames": [
                f"projects/{self.project}/locations/global/buckets/_Default/views/{self.view}"
            ],
            "filter": (
                f'resource.type="cloud_run_revision" resource.labels.service_name="{self.service}"'
                f' resource.labels.revision_name="{version}"'
                f' jsonPayload.event="metrics.figures" timestamp>="{since}"'
            ),
            "pageSize": 1000,
        }
        lines: list[dict[str, Any]] = []
        while True:
            found = self._ask("POST", f"{endpoint('logging')}/v2/entries:list", asked)
            lines += [one["jsonPayload"] for one in found.get("entries", [])]
            if not found.get("nextPageToken"):
                return lines
            asked["pageToken"] = found["nextPageToken"]


def _last(name: str) -> str:
    """A revision's own name, of projects/…/revisions/NAME."""
    return name.rpartition("/")[2]
