"""Releases in a cloud's containers that few people meet first: scripts/ship/release.py starts it.

    gradual deploy   ENVIRONMENT IMAGE    migrates; the new version stands there without requests
    gradual promote  ENVIRONMENT          requests, a step at a time; bad figures take it back
    gradual rollback ENVIRONMENT [IMAGE]  the version before, or this one; no migration runs

The cloud keeps what a release knows: `live` is what people have, `next` what came with the last
deploy, `before` what was live before. So the next run understands what an interrupted one left.
"""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

import judge
from place import Cloud, Failed, Place

ROOT = Path(__file__).absolute().parents[3]
MINUTE = 60.0
# Percent of requests; each step is watched but the last of a canary, as in the chart.
STEPS = {"canary": (5, 25, 50), "blue_green": (100,)}
WATCH_MINUTES = 10
FIRST_LOOK = 1.5
READY_MINUTES = 10
# One bad minute may be chance, two are not; nor is a log that says nothing five times.
BAD_MINUTES = 1
SILENT_MINUTES = 4


def main(words: list[str]) -> None:
    action, environment, image = (*words, "", "")[:3]
    answers = tomllib.loads((ROOT / "app" / "answers.toml").read_text(encoding="utf-8"))
    hosting = answers["hosting"]
    place = Place(
        ROOT / "deploy" / "terraform" / hosting["target"],
        environment, answers["project"]["slug"], hosting["region"],
    )  # fmt: skip
    # A pipeline that is broken off: people get back what they had, as with any other failure.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    cloud: Cloud = importlib.import_module(hosting["target"]).cloud(place)
    try:
        if action == "deploy":
            deploy(cloud, place, image)
        elif action == "promote":
            promote(cloud, place, STEPS[hosting["release_strategy"]])
        else:
            rollback(cloud, place, image)
    except Failed as error:
        sys.exit(str(error))


def deploy(cloud: Cloud, place: Place, image: str) -> None:
    marks = cloud.recall()
    live = marks["live"]
    if marks.get("next"):
        print("An earlier release did not end: people get what they had.", flush=True)
        back(cloud, place, live)
    print(f"People have {live}, {cloud.image(live)}.", flush=True)
    place.part("migrate", image)
    cloud.share({live: 100})
    try:
        version = cloud.make(image)
        # Also what is live: before the first release only the shares tell it, and they change.
        cloud.remember(live=live, next=version)
        stand(cloud, version)
        # It knows the jobs of both versions; the old one does not.
        place.part("worker", image)
    except BaseException:
        back(cloud, place, live)
        raise
    print(f"{version} stands there and gets no requests yet.", flush=True)


def promote(cloud: Cloud, place: Place, steps: tuple[int, ...]) -> None:
    marks = cloud.recall()
    live, new = marks["live"], marks.get("next", "")
    if not new:
        raise Failed("Nothing stands beside what people have: deploy first.")
    if new != live:
        try:
            # It may have waited for a yes for hours.
            stand(cloud, new)
            if not cloud.ready(live):
                print(f"{live} serves nobody, so nobody waits.", flush=True)
                steps = (100,)
            for percent in steps:
                cloud.share({live: 100 - percent, new: percent})
                print(f"{percent} % of requests go to {new}.", flush=True)
                watch(cloud, new)
            cloud.share({new: 100})
        except BaseException:
            back(cloud, place, live)
            raise
        cloud.remember(live=new, before=live, next="")
    else:
        cloud.remember(next="")
    print(f"Everybody has {new}.", flush=True)
    cloud.keep(new)


def rollback(cloud: Cloud, place: Place, image: str) -> None:
    marks = cloud.recall()
    live = marks["live"]
    if marks.get("next") and not image:
        return back(cloud, place, live)
    if not image and not marks.get("before"):
        raise Failed("The cloud knows no version before, or went back to it: name the image.")
    cloud.share({live: 100})
    version = cloud.make(image) if image else marks["before"]
    stand(cloud, version)
    cloud.share({version: 100})
    # Who goes back twice shall not meet what was bad again.
    cloud.remember(live=version, before="", next="")
    print(f"Everybody has {version} again.", flush=True)
    place.part("worker", cloud.image(version))
    cloud.keep(version)
    return None


def back(cloud: Cloud, place: Place, live: str) -> None:
    """Everybody gets `live`. No migration runs backwards: it reads what the newer one wrote."""
    cloud.share({live: 100})
    print(f"Everybody has {live}, as before.", flush=True)
    cloud.remember(next="", before="")
    place.part("worker", cloud.image(live))
    cloud.keep(live)


def stand(cloud: Cloud, version: str) -> None:
    cloud.begin(version)
    deadline = time.monotonic() + READY_MINUTES * MINUTE
    while not cloud.ready(version):
        if time.monotonic() > deadline:
            raise Failed(f"{version} did not become ready.")
        time.sleep(MINUTE / 12)


def watch(cloud: Cloud, version: str) -> None:
    """What the chart asks Prometheus, asked of the log, and whether it runs."""
    time.sleep(FIRST_LOOK * MINUTE)
    bad: Counter[str] = Counter()
    silent = 0
    for _ in range(WATCH_MINUTES):
        found = look(cloud, version)
        silent = 0 if found else silent + 1
        if silent > SILENT_MINUTES:
            raise Failed(f"{version} tells no figures: nothing is known of it.")
        for name, told in judge.problems(found or []).items():
            print(told, flush=True)
            bad[name] += 1
            if bad[name] > BAD_MINUTES:
                raise Failed(f"{version} is taken back: {told}")
        time.sleep(MINUTE)


def look(cloud: Cloud, version: str) -> list[dict[str, float]]:
    """Its lines of the last five minutes; none also where nobody answered the question."""
    try:
        if not cloud.ready(version):
            return [{"unready": 1}]
        return cloud.figures(version, judge.MINUTES)
    except (Failed, OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"The figures cannot be read: {error}", flush=True)
        return []


if __name__ == "__main__":
    main(sys.argv[1:])
