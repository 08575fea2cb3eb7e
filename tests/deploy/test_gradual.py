"""A release that few people meet first, against each cloud's own words over HTTP."""

import os
import re
import runpy
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import cloud_run
import container_apps
import ecs
import pytest
import yaml
from conftest import ROOT
from pretend import Cloud, Pretended, Release, line, released, served

NEW, NEWER = "new@sha256:1", "newer@sha256:2"
CLOUDS: dict[str, tuple[type[Cloud], dict[str, str]]] = {
    "aws": (ecs.Ecs, ecs.TOOLS),
    "azure": (container_apps.ContainerApps, container_apps.TOOLS),
    "gcp": (cloud_run.CloudRun, cloud_run.TOOLS),
}


class Hosted:
    """A project in a cloud, with one version that everybody has."""

    def __init__(self, folder: Path, kind: str, strategy: str) -> None:
        self.pretended = Pretended()
        made, tools = CLOUDS[kind]
        self.cloud = made(self.pretended)
        self.server = served(self.cloud)
        template = ROOT / "template"
        shutil.copytree(template / "scripts", folder / "scripts")
        shutil.copytree(template / "deploy" / "terraform", folder / "deploy" / "terraform")
        for name in ("__init__.py", "core/__init__.py", "core/sigv4.py"):
            (folder / "app" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(template / "app" / name, folder / "app" / name)
        (folder / "app" / "answers.toml").write_text(
            f'[project]\nslug = "demo"\n[hosting]\ntarget = "{kind}"\n'
            f'region = "{self.cloud.region}"\nrelease_strategy = "{strategy}"\n'
        )
        self.log = folder / "log"
        self.log.touch()
        (folder / "tools").mkdir()
        for name, does in tools.items():
            (folder / "tools" / name).write_text(f"#!/bin/sh\n{does}\n")
            (folder / "tools" / name).chmod(0o755)
        host, port = self.server.server_address[:2]
        more = {"PATH": f"{folder}/tools:{os.environ['PATH']}", "LOG": str(self.log)}
        more |= self.cloud.environment(f"http://{host!s}:{port}/")
        self.release: Release = released(folder, self.cloud, more)

    def to(self, image: str) -> tuple[int, str]:
        code, told = self.release("deploy", "staging", image)
        if code:
            return code, told
        code, more = self.release("promote", "staging")
        return code, told + more

    @property
    def worker(self) -> str:
        """What the worker runs, as its command line was told."""
        lines = [one for one in self.log.read_text().splitlines() if "worker" in one]
        return lines[-1].partition("--image ")[2].split()[0]


@pytest.fixture(params=CLOUDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def canary(tmp_path: Path, kind: str) -> Iterator[Hosted]:
    hosted = Hosted(tmp_path, kind, "canary")
    yield hosted
    hosted.server.shutdown()
    hosted.server.server_close()


@pytest.fixture
def blue_green(tmp_path: Path, kind: str) -> Iterator[Hosted]:
    hosted = Hosted(tmp_path, kind, "blue_green")
    yield hosted
    hosted.server.shutdown()
    hosted.server.server_close()


def test_a_canary_gets_requests_a_step_at_a_time_and_there_is_a_way_back(canary: Hosted) -> None:
    code, told = canary.release("deploy", "staging", NEW)
    assert code == 0, told
    assert canary.cloud.shares() == {"old": 100}, "nobody meets what only stands there"
    migrated = canary.log.read_text().index("migrate")
    assert migrated < canary.log.read_text().index("worker")
    code, told = canary.release("promote", "staging")
    assert code == 0, told
    assert [one.get(NEW, 0) for one in canary.pretended.seen] == [0, 5, 25, 50, 100]
    assert canary.worker == NEW
    assert canary.cloud.running() == {NEW}

    code, told = canary.release("rollback", "staging")
    assert code == 0, told
    assert canary.cloud.shares() == {"old": 100}
    assert canary.worker == "old"
    assert canary.cloud.running() == {"old"}
    assert "migrate" not in canary.log.read_text()[migrated + 100 :], "going back changes no table"
    code, told = canary.release("rollback", "staging")
    assert code != 0, "twice would bring back what was bad"
    assert "name the image" in told
    code, told = canary.release("rollback", "staging", NEW)
    assert code == 0, told
    assert canary.cloud.shares() == {NEW: 100}
    assert canary.worker == NEW


@pytest.mark.parametrize(
    ("figure", "bad"),
    [
        ("errors", {"failed": 80}),
        ("latency", {"slow": 300}),
        ("cost", {"dollars": 400.0}),
        ("quality", {"unanswered": 300}),
    ],
)
def test_bad_figures_take_a_canary_back_by_themselves(
    canary: Hosted, figure: str, bad: dict[str, float]
) -> None:
    canary.pretended.figures[NEW] = line(**bad)

    code, told = canary.to(NEW)

    assert code != 0
    assert f"is taken back: {figure}: " in told
    assert max(one.get(NEW, 0) for one in canary.pretended.seen) < 50
    assert canary.cloud.shares() == {"old": 100}
    assert canary.cloud.running() == {"old"}
    assert canary.worker == "old"
    code, told = canary.release("promote", "staging")
    assert code != 0, "a job that is started again does not release it"
    assert canary.cloud.shares() == {"old": 100}
    code, told = canary.release("rollback", "staging")
    assert code != 0, "what came before is not what a night needs"
    code, told = canary.to(NEWER)
    assert code == 0, told
    assert canary.cloud.shares() == {NEWER: 100}


def test_blue_green_gives_everybody_the_new_one_and_watches_it(blue_green: Hosted) -> None:
    code, told = blue_green.to(NEW)
    assert code == 0, told
    assert blue_green.pretended.seen == [{"old": 100}, {NEW: 100}]

    blue_green.pretended.figures[NEWER] = line(failed=400)
    code, told = blue_green.to(NEWER)
    assert code != 0
    assert blue_green.pretended.seen[2:] == [{NEWER: 100}, {NEW: 100}]
    assert blue_green.worker == NEW


def test_a_first_release_that_dies_while_everybody_has_it_is_taken_back(
    blue_green: Hosted,
) -> None:
    """Nothing was noted before it, and the shares alone say that the new one was always there."""
    blue_green.pretended.when = {100: signal.SIGKILL}
    assert blue_green.to(NEW)[0] == -signal.SIGKILL
    assert blue_green.cloud.shares() == {NEW: 100}

    code, told = blue_green.release("rollback", "staging")

    assert code == 0, told
    assert blue_green.cloud.shares() == {"old": 100}


def test_who_tells_nothing_is_not_trusted(canary: Hosted) -> None:
    canary.pretended.silent = {NEW}
    code, told = canary.to(NEW)
    assert code != 0
    assert "tells no figures" in told
    assert canary.cloud.shares() == {"old": 100}
    # Few requests tell nothing either way, and are no reason to go back.
    canary.pretended.figures[NEWER] = line(requests=3, failed=3, timed=3, slow=3)
    canary.pretended.figures[NEWER] |= {"answered": 1, "unanswered": 1, "dollars": 9}
    code, told = canary.to(NEWER)
    assert code == 0, told


def test_what_does_not_run_gets_nobody(canary: Hosted) -> None:
    canary.pretended.broken = {NEW}
    code, told = canary.to(NEW)
    assert code != 0
    assert "did not become ready" in told
    assert {*canary.pretended.seen[-1]} == {"old"}
    assert len(canary.pretended.seen) == 1, "people met nothing else"
    (canary.log.parent / "log.no-migration").touch()
    before = canary.log.read_text().count("worker")
    code, told = canary.to(NEWER)
    assert code != 0
    assert "migrate failed" in told
    assert canary.log.read_text().count("worker") == before
    assert canary.cloud.shares() == {"old": 100}


def test_a_release_that_is_broken_off_leaves_what_the_next_one_understands(canary: Hosted) -> None:
    canary.pretended.when = {25: signal.SIGTERM}
    code, told = canary.to(NEW)
    assert code != 0
    assert canary.cloud.shares() == {"old": 100}, "it takes people back on its way out"

    canary.pretended.when = {25: signal.SIGKILL}
    code, told = canary.to(NEW)
    assert code == -signal.SIGKILL
    assert canary.cloud.shares() == {"old": 75, NEW: 25}
    code, told = canary.release("rollback", "staging")
    assert code == 0, told
    assert canary.cloud.shares() == {"old": 100}
    assert canary.worker == "old"

    canary.pretended.when = {50: signal.SIGKILL}
    assert canary.to(NEW)[0] == -signal.SIGKILL
    assert canary.cloud.shares() == {"old": 50, NEW: 50}
    code, told = canary.to(NEWER)
    assert code == 0, told
    assert "An earlier release did not end" in told
    assert canary.pretended.seen[-5:] == [
        {"old": 100}, *({"old": 100 - part, NEWER: part} for part in (5, 25, 50)), {NEWER: 100},
    ]  # fmt: skip


@pytest.mark.slow
def test_wherever_a_release_dies_people_have_a_version_and_the_next_one_goes_on(
    canary: Hosted,
) -> None:
    """Killed after each change that the cloud hears of, until one gets through."""
    deaths = 0
    for number in range(1, 100):
        image = f"new@sha256:{number}"
        [had] = canary.cloud.shares()
        canary.pretended.seen.clear()
        canary.pretended.dies_after = number
        code, told = canary.to(image)
        canary.pretended.dies_after = None
        if not code:
            break
        deaths += 1
        assert code == -signal.SIGKILL, told
        # By hand, or with the next release.
        if number % 2:
            code, told = canary.release("rollback", "staging")
            assert not code or "name the image" in told
        else:
            code, told = canary.release("deploy", "staging", NEWER)
            assert code == 0, told
            code, told = canary.release("rollback", "staging")
            assert code == 0, told
        [has] = canary.cloud.shares()
        # It is theirs once that is noted, which is after all of them have met it.
        assert has in (had, image), told
        assert has == had or {image: 100} in canary.pretended.seen, told
        met = {one for shares in canary.pretended.seen for one in shares}
        assert met <= {had, image}, told
    assert deaths >= 8
    assert canary.cloud.shares() == {image: 100}
    assert canary.cloud.running() == {image}


def test_a_cloud_that_is_busy_is_asked_again(canary: Hosted) -> None:
    canary.pretended.deaf = 3
    code, told = canary.to(NEW)
    assert code == 0, told


def test_a_token_that_grows_old_on_the_way_is_renewed(canary: Hosted) -> None:
    assert canary.release("deploy", "staging", NEW)[0] == 0
    (canary.log.parent / "log.tokens").unlink()
    canary.pretended.good_for = 20
    code, told = canary.release("promote", "staging")
    assert code == 0, told
    assert canary.pretended.good_for < 0


@pytest.mark.parametrize("kind", ["aws"])
def test_what_somebody_released_by_hand_is_what_people_have(canary: Hosted) -> None:
    assert isinstance(canary.cloud, ecs.Ecs)
    assert canary.to(NEW)[0] == 0
    canary.cloud.release_by_hand("app-second", "by-hand")
    canary.pretended.seen.clear()
    canary.pretended.figures[NEWER] = line(failed=400)

    code, told = canary.to(NEWER)

    assert code != 0
    assert [one.get(NEWER, 0) for one in canary.pretended.seen] == [0, 5, 0], told
    assert canary.cloud.shares() == {"by-hand": 100}
    assert canary.worker == "by-hand"


def test_the_bounds_are_those_of_a_cluster() -> None:
    """And what is asked of Prometheus there is what the app writes into its log here."""
    judge = runpy.run_path(str(ROOT / "template/scripts/ship/gradual/judge.py"))
    main = (ROOT / "template/scripts/ship/gradual/__main__.py").read_text()
    chart = ROOT / "template" / "deploy" / "chart"
    told = yaml.safe_load((chart / "values.yaml").read_text())["release"]
    analysis = told["analysis"]
    names = ("leastRequests", "errorRate", "slowShare", "dollarsPerAnswer", "quality")
    ours = ("LEAST_REQUESTS", "ERROR_RATE", "SLOW_SHARE", "DOLLARS_PER_ANSWER", "QUALITY")
    assert [analysis[one] for one in names] == [judge[one] for one in ours]
    assert f'"canary": {tuple(told["canary"]["steps"])}' in main
    assert f"WATCH_MINUTES = {told['canary']['watchMinutes']}\n" in main
    asked = (chart / "templates" / "analysis.yaml").read_text()
    counted = (ROOT / "template" / "app" / "telemetry" / "figures.py").read_text()
    counters = set(re.findall(r"app_\w+_total", asked))
    assert counters == set(re.findall(r"app_\w+_total", counted))
