"""Does what was just released answer? `make smoke URL=https://staging.example.com`

Waits until it does, for as long as a release may take, and says what does not.
"""

from __future__ import annotations

import json
import sys
import time

from client import Answer, Client

LONGEST_SECONDS = 300


def main(url: str, seconds: float = LONGEST_SECONDS) -> None:
    client = Client(url)
    deadline = time.monotonic() + seconds
    while found := problems(client):
        if time.monotonic() > deadline:
            sys.exit("\n".join(found))
        time.sleep(3)
    print(f"{url} is well.")


def problems(client: Client) -> list[str]:
    found = []
    if (live := client.get("/health/live")).status != 200:
        return [f"/health/live: {live.told}"]
    ready = client.get("/health/ready")
    checks = _json(ready).get("checks", {})
    if ready.status != 200:
        found.append(f"/health/ready: {ready.told}")
    found += [f"{name} does not work" for name, state in checks.items() if state != "ok"]
    described = client.get("/api/openapi.json")
    if not _json(described).get("paths"):
        found.append(f"/api/openapi.json: {described.told}")
    # Who has not signed in gets no further, but gets an answer.
    if (me := client.get("/api/me")).status != 401:
        found.append(f"/api/me without a session: {me.told}")
    return found


def _json(answer: Answer) -> dict[str, dict[str, str]]:
    try:
        read = json.loads(answer.body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]) if sys.argv[2:] else LONGEST_SECONDS)
