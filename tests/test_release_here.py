"""scripts/release.py when something fails: people and .env are where they were."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

# Docker as the script sees it: containers are lines of a file; what fits $FAIL fails.
DOCKER = """#!/bin/sh
echo "${IMAGE:-}|$*" >> "$STATE/log"
touch "$STATE/app"
case "$*" in
  $FAIL) exit 1 ;;
esac
case "$*" in
  "compose "*"config --services") echo "$SERVICES" ;;
  "compose config --images "*) echo "$4:local" ;;
  "image inspect "*@sha256:*) exit 1 ;;
  "image inspect "*) echo "${LITELLM_ID:-same}" ;;
  "inspect "*) echo same ;;
  "compose ps --all --quiet app") cat "$STATE/app" ;;
  "compose "*"ps --all --quiet litellm") cat "$STATE/litellm" ;;
  "compose "*"ps --all --quiet "*) echo one ;;
  "compose up"*" litellm") echo new >> "$STATE/litellm" ;;
  "compose up"*" app") wc -l < "$STATE/log" >> "$STATE/app" ;;
  "rm --force "*) sed -i "/^$3$/d" "$STATE/app" ;;
  "rm "*) sed -i "/^$2$/d" "$STATE/app" ;;
esac
case "$*" in
  $FAIL_LATE) exit 1 ;;
  $HOLD) echo here > "$STATE/held"; read _ < "$STATE/let_go" ;;
esac
"""


class Here:
    """A machine with the script, an .env and one container of the old version."""

    def __init__(self, folder: Path, env: str, services: str) -> None:
        self.folder = folder
        (folder / "scripts").mkdir()
        for name in ("release.py", "listeners.py"):
            shutil.copy(ROOT / "template" / "scripts" / name, folder / "scripts")
        (folder / ".env").write_text(env)
        (folder / "app").write_text("old\n")
        (folder / "litellm").write_text("gateway\n")
        docker = folder / "docker"
        docker.write_text(DOCKER)
        docker.chmod(0o755)
        self.services = services

    def begin(self, *words: str, **more: str) -> subprocess.Popen[str]:
        script = str(self.folder / "scripts" / "release.py")
        env = {"FAIL": "-", "FAIL_LATE": "-", "HOLD": "-", "IMAGE": "what:make:exports", **more}
        env |= {"PATH": f"{self.folder}:{os.environ['PATH']}", "STATE": str(self.folder)}
        return subprocess.Popen(
            [sys.executable, script, "--drain", "0", *words],
            env=env | {"SERVICES": self.services},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def release(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        process = self.begin(*words, **more)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @property
    def env(self) -> set[str]:
        return set((self.folder / ".env").read_text().split())

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()


DIGEST = "registry.example.com:5000/demo@sha256:" + "0" * 64
BEFORE = {"rolling": "IMAGE=app:v1 PREVIOUS_IMAGE=app:v0", "blue_green": "BLUE_IMAGE=app:v0"}
SERVICES = {"rolling": "app\nworker", "blue_green": "blue\ngreen\nworker"}


def here(folder: Path, strategy: str) -> Here:
    state = BEFORE[strategy].replace(" ", "\n")
    green = "" if strategy == "rolling" else "IMAGE=app:v1\nLIVE=green\nGREEN_IMAGE=app:v1\n"
    return Here(folder, f"SECRET=kept\n{state}\n{green}", SERVICES[strategy])


@pytest.mark.parametrize("strategy", BEFORE)
@pytest.mark.parametrize(
    "fails",
    [
        {"FAIL": "pull*"},
        {"FAIL": "compose run*"},
        {"FAIL": "compose up*"},
        {"FAIL_LATE": "compose up*"},
        {"FAIL": "exec*"},
    ],
    ids=str,
)
def test_what_fails_before_the_change_leaves_the_state(
    tmp_path: Path, strategy: str, fails: dict[str, str]
) -> None:
    machine = here(tmp_path, strategy)
    before = machine.env

    done = machine.release(DIGEST, **fails)

    assert done.returncode == 1
    assert "People are served by the version before." in done.stderr
    assert "Traceback" not in done.stderr
    assert machine.env - {"BLUE_REPLICAS=0"} == before
    assert machine.read("app") == "old\n"


@pytest.mark.parametrize("strategy", BEFORE)
def test_what_fails_after_the_change_does_not_say_that_nothing_happened(
    tmp_path: Path, strategy: str
) -> None:
    machine = here(tmp_path, strategy)

    done = machine.release(DIGEST, FAIL="compose up*worker")

    assert done.returncode == 1
    assert "People are served by the new version" in done.stderr
    assert f"IMAGE={DIGEST}" in machine.env
    assert f"{DIGEST}|compose run --rm --no-deps migrate\n" in machine.read("log")
    assert "what:make:exports" not in machine.read("log")


@pytest.mark.parametrize("strategy", BEFORE)
def test_back_is_where_people_were_also_after_a_release_that_failed(
    tmp_path: Path, strategy: str
) -> None:
    machine = here(tmp_path, strategy)
    assert machine.release("v2").returncode == 0
    assert "IMAGE=app:v2" in machine.env, "a tag alone is one of the image that runs"
    assert machine.release(DIGEST, FAIL="exec*").returncode == 1

    done = machine.release("--back")

    assert done.returncode == 0, done.stderr
    assert "IMAGE=app:v1" in machine.env
    assert machine.release("v3").returncode == 0
    assert machine.release("--back", DIGEST).returncode == 0
    assert f"IMAGE={DIGEST}" in machine.env
    assert machine.read("log").count("migrate") == 3, "going back changes no table"


@pytest.mark.parametrize("strategy", BEFORE)
def test_nobody_meets_the_bad_version_again(tmp_path: Path, strategy: str) -> None:
    machine = here(tmp_path, strategy)
    assert machine.release("v2").returncode == 0
    assert machine.release("v2").returncode == 0, "a pipeline's step that is run again"
    assert machine.release("--back").returncode == 0
    assert "IMAGE=app:v1" in machine.env

    again = machine.release("--back")

    assert again.returncode == 1
    assert "PREVIOUS_IMAGE is not in .env; name one" in again.stderr
    assert "IMAGE=app:v1" in machine.env
    assert machine.release("--back", "v0").returncode == 0
    assert "IMAGE=app:v0" in machine.env


@pytest.mark.parametrize("strategy", BEFORE)
def test_a_release_that_is_broken_off_is_taken_back_and_alone_meanwhile(
    tmp_path: Path, strategy: str
) -> None:
    machine = here(tmp_path, strategy)
    before = machine.env
    for name in ("held", "let_go"):
        os.mkfifo(tmp_path / name)

    first = machine.begin(DIGEST, HOLD="compose up*")
    assert machine.read("held") == "here\n", "it starts the new version"
    second = machine.release("v2")
    first.send_signal(signal.SIGTERM)
    _, said = first.communicate()

    assert second.returncode == 1
    assert "Another release runs" in second.stderr
    assert first.returncode == 128 + signal.SIGTERM, said
    assert machine.env - {"BLUE_REPLICAS=0"} == before
    assert machine.read("app") == "old\n"
    assert "v2" not in machine.read("log")


@pytest.mark.parametrize("strategy", BEFORE)
def test_what_has_an_image_of_its_own_comes_along(tmp_path: Path, strategy: str) -> None:
    machine = here(tmp_path, strategy)
    machine.services += "\nbackup\ncopies\nlitellm"

    assert machine.release("v2", LITELLM_ID="same").returncode == 0
    log = machine.read("log")
    assert "up --detach --no-deps --build backup\n" in log
    assert "up --detach --no-deps --build copies\n" in log
    assert "--scale" not in log.replace("--scale app=", ""), "an image as before is not started"

    assert machine.release("v3", LITELLM_ID="other", FAIL="compose up*litellm").returncode == 1
    assert machine.read("litellm") == "gateway\n"
    assert "IMAGE=app:v2" in machine.env, "it comes first: a version that counts on it waits"
    (machine.folder / "log").unlink()
    assert machine.release("v3", LITELLM_ID="other").returncode == 0
    log = machine.read("log")
    there = log.index("--no-recreate --wait --wait-timeout 300 --scale litellm=2 litellm")
    assert there < log.index("stop --time 60 gateway") < log.index("|exec")

    (machine.folder / "log").unlink()
    assert machine.release("--back").returncode == 0
    assert "--build" not in machine.read("log")
    with (machine.folder / ".env").open("a") as env:
        env.write("BACKUP_IMAGE=there/backup:v1\nLITELLM_IMAGE=there/litellm:v1\n")
    (machine.folder / "log").unlink()
    assert machine.release("v4").returncode == 0
    assert "build" not in machine.read("log"), "named by whoever runs it"


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        ("registry.example.com:5000/demo:v1", "registry.example.com:5000/demo:v2"),
        (DIGEST, "registry.example.com:5000/demo:v2"),
        ("", "app:v2"),
    ],
)
def test_a_tag_is_one_of_the_image_that_runs(tmp_path: Path, runs: str, told: str) -> None:
    machine = Here(tmp_path, f"IMAGE={runs}\n" if runs else "", SERVICES["rolling"])

    assert machine.release("v2").returncode == 0

    assert {f"IMAGE={told}", f"PREVIOUS_IMAGE={runs or 'app:local'}"} <= machine.env


@pytest.mark.parametrize(
    ("filled", "told"),
    [
        ((), "(page, ticket)"),
        (("page",), "(ticket)"),
        (("page", "ticket"), ""),
    ],
)
def test_an_alert_that_nobody_hears_of_is_told_at_each_release(
    tmp_path: Path, filled: tuple[str, ...], told: str
) -> None:
    machine = here(tmp_path, "rolling")
    place = tmp_path / "ops" / "alertmanager" / "alertmanager.yml"
    shutil.copytree(ROOT / "template" / "ops" / "alertmanager", place.parent)
    text = place.read_text()
    for name in filled:
        where = f"    webhook_configs:\n      - url: https://{name}.example.com\n"
        text = text.replace(f"  - name: {name}\n", f"  - name: {name}\n{where}")
    place.write_text(text)

    done = machine.release("v2")

    assert done.returncode == 0
    assert ("WARNING: nobody is told of alerts" in done.stderr) == bool(told)
    assert told in done.stderr
