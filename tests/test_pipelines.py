"""Pipelines of all three systems: the same steps, recipes that exist, and nobody may too much."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pipelines
import pytest
from conftest import ROOT, Render, tree

TEMPLATE = ROOT / "template"
SHIP = TEMPLATE / "scripts" / "ship"
WORKFLOWS = sorted((TEMPLATE / ".github" / "workflows").glob("*.yml"))
CI, RELEASE = (TEMPLATE / ".github" / "workflows" / name for name in ("ci.yml", "release.yml"))
GITLAB = TEMPLATE / ".gitlab-ci.yml"
JENKINS = TEMPLATE / "Jenkinsfile"
SYSTEMS = {"github": WORKFLOWS, "gitlab": [GITLAB], "jenkins": [JENKINS]}


def run(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    program, *rest = words
    found = Path(sys.executable).parent / program
    return subprocess.run([found, *rest], capture_output=True, text=True, check=False, **options)


def asked(system: str) -> set[str]:
    return set().union(*(pipelines.recipes(path.read_text()) for path in SYSTEMS[system]))


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_recipe_that_a_pipeline_asks_for_is_there(system: str) -> None:
    there = pipelines.of_make((TEMPLATE / "Makefile").read_text())

    assert asked(system) - there == set()


def test_all_three_do_the_same() -> None:
    assert asked("github") == asked("gitlab") == asked("jenkins")
    assert asked("github") >= {
        "check", "test-all", "contract", "migrations", "evals", "scan", "audit", "image", "sign",
        "deploy", "smoke", "probe", "promote", "rollback",
    }  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_answer_brings_its_pipeline_and_no_other(render: Render, system: str) -> None:
    there = set(tree(render(ci=system)))

    assert any(name.startswith(".github/") for name in there) == (system == "github")
    assert (".gitlab-ci.yml" in there) == (system == "gitlab")
    assert ("Jenkinsfile" in there) == (system == "jenkins")
    assert ("renovate.json" in there) == (system != "github")


def test_what_stands_there_has_nothing_that_we_mind() -> None:
    assert [one for path in WORKFLOWS for one in pipelines.github(path)] == []
    assert list(pipelines.gitlab(GITLAB)) == []
    assert list(pipelines.jenkins(JENKINS)) == []


def test_the_files_are_what_their_systems_read() -> None:
    for schema, paths in (
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.dependabot", [TEMPLATE / ".github" / "dependabot.yml"]),
        ("vendor.gitlab-ci", [GITLAB]),
        ("vendor.renovate", [TEMPLATE / "renovate.json"]),
    ):
        done = run("check-jsonschema", "--builtin-schema", schema, *paths)
        assert done.returncode == 0, done.stdout
    done = run("zizmor", "--offline", "--quiet", TEMPLATE / ".github")
    assert done.returncode == 0, done.stdout


def test_act_reads_every_workflow_and_its_order() -> None:
    done = run("act", "--list", "--workflows", TEMPLATE / ".github" / "workflows", cwd=TEMPLATE)

    assert done.returncode == 0, done.stderr
    stages = {
        words[1]: words[0] for line in done.stdout.splitlines() if len(words := line.split()) > 3
    }
    assert stages["image"] < stages["staging"] < stages["production"]


# Where, what looks, what stood there, what stands there now, what is said of it.
PLANTED = [
    (
        CI,
        pipelines.github,
        "@11bd71901bbe5b1630ceea73d27597364c9af683",
        "@v4",
        "not pinned",
    ),
    (CI, pipelines.github, "  contents: read", "  contents: write", "more than read"),
    (CI, pipelines.github, "    timeout-minutes: 10\n", "", "no end"),
    (
        CI,
        pipelines.github,
        "persist-credentials: false",
        "persist-credentials: true",
        "leaves a token",
    ),
    (RELEASE, pipelines.github, "needs: image", "needs: picture", "picture"),
    (RELEASE, pipelines.github, 'URL="$URL"', 'URL="${{ vars.URL }}"', "into a shell"),
    (RELEASE, pipelines.github, "    environment: production\n", "", "nobody said yes"),
    (RELEASE, pipelines.github, "packages: write", "contents: write", "may write contents"),
    (GITLAB, pipelines.gitlab, "extends: .release", "extends: .releases", ".releases"),
    (GITLAB, pipelines.gitlab, "      when: manual\n", "", "nobody said yes"),
    (GITLAB, pipelines.gitlab, "stage: image", "stage: picture", "no stage"),
    (GITLAB, pipelines.gitlab, "python:3.13-bookworm", "python:latest", "any image"),
    (GITLAB, pipelines.gitlab, "needs: []", "needs: [picture]", "picture"),
    (JENKINS, pipelines.jenkins, "sh 'make check'", "sh 'make check", "no Groovy"),
    (JENKINS, pipelines.jenkins, "    stages {", "    stages [", "no Groovy"),
    (JENKINS, pipelines.jenkins, "input(message", "echo(message", "nobody said yes"),
    (
        JENKINS,
        pipelines.jenkins,
        "sh 'make probe URL=\"$URL\"'",
        'sh "make probe URL=${env.URL}"',
        "into a shell",
    ),
]


@pytest.mark.parametrize(
    ("path", "look", "old", "new", "told"),
    PLANTED,
    ids=[f"{one[0].name}-{one[4]}" for one in PLANTED],
)
def test_a_planted_mistake_is_seen(
    tmp_path: Path,
    path: Path,
    look: Callable[[Path], Iterator[str]],
    old: str,
    new: str,
    told: str,
) -> None:
    source = path.read_text()
    assert old in source
    changed = tmp_path / path.name
    changed.write_text(source.replace(old, new))

    assert any(told in one for one in look(changed)), list(look(changed))


def test_a_recipe_that_is_not_there_would_be_seen() -> None:
    assert pipelines.recipes("sh 'make chekc' # make tea") == {"chekc"}


# The scripts behind the recipes.


@pytest.fixture
def ship(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """A script of scripts/ship as a module; it finds its neighbours beside it."""
    before = set(sys.modules)
    for folder in (TEMPLATE / "scripts", SHIP):
        monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for name in {path.stem for path in SHIP.glob("*.py")} - before:
        sys.modules.pop(name, None)


TODAY = date(2026, 11, 26)
WEAK = {
    "name": "jinja2", "version": "2.10",
    "vulns": [{"id": "PYSEC-1", "aliases": ["GHSA-1"], "fix_versions": ["2.10.1"]}],
}  # fmt: skip
# What pip-audit says, and calls it a success, where it cannot reach its source.
SKIPPED = {"name": "requests", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "allowed", "told"),
    [
        ([{"name": "requests", "version": "9", "vulns": []}], {}, []),
        ([WEAK], {}, ["jinja2 2.10: PYSEC-1, fixed in 2.10.1"]),
        ([WEAK], {"GHSA-1": {"until": date(2027, 1, 1)}}, []),
        ([WEAK], {"GHSA-1": {"until": date(2026, 1, 1)}}, ["its exception ended 2026-01-01"]),
        ([SKIPPED], {}, ["requests: not looked at, Dependency not found on PyPI"]),
        ([], {}, ["1 packages are locked, 0 were looked at"]),
        (
            [{"name": "a", "version": "1", "vulns": []}],
            {"GHSA-9": {"until": TODAY}},
            ["GHSA-9: an exception for nothing"],
        ),
    ],
)
def test_an_audit_that_saw_nothing_has_not_passed(
    ship: Callable[[str], ModuleType],
    packages: list[dict[str, Any]],
    allowed: dict[str, Any],
    told: list[str],
) -> None:
    found = ship("audit").problems({"dependencies": packages}, 1, allowed, TODAY)

    assert len(found) == len(told)
    for one, wanted in zip(found, told, strict=True):
        assert wanted in one


IMAGE = "registry.example.com/demo@sha256:" + "0" * 64


def ways(ship: Callable[[str], ModuleType], action: str, **hosting: str) -> list[list[str]]:
    usual = {"target": "kubernetes", "cloud_runtime": "containers", "release_strategy": "rolling"}
    answers = {"project": {"slug": "demo"}, "hosting": usual | hosting}
    found: list[list[str]] = ship("release").commands(answers, action, "staging", IMAGE)
    return found


def test_every_place_has_a_way_there_and_back(
    ship: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE", "deploy@app.example.com")
    for hosting, action, told in (
        ({"target": "compose"}, "deploy", "ssh deploy@app.example.com cd app && git fetch"),
        ({"target": "compose"}, "rollback", f"python3 scripts/release.py {IMAGE}"),
        ({"target": "aws"}, "deploy", "deploy/terraform/aws/release.sh staging"),
        ({"target": "aws", "cloud_runtime": "kubernetes"}, "deploy", "helm upgrade --install demo"),
        ({}, "deploy", "helm upgrade --install demo deploy/chart --namespace demo-staging"),
        ({}, "rollback", "helm rollback demo"),
        ({"release_strategy": "canary"}, "deploy", "rollouts status demo-app"),
        ({"release_strategy": "blue_green"}, "promote", "rollouts promote demo-app"),
    ):
        steps = [" ".join(one) for one in ways(ship, action, **hosting)]
        assert any(told in one for one in steps), (hosting, action, steps)


GIT = ("/usr/bin/env", "git")
DOCKER = """#!/bin/sh
echo "$TAG|$*" >> "$LOG"
case "$*" in
  "compose config --services") printf 'app\\nworker\\n' ;;
  "compose ps --quiet app") [ -e "$LOG.up" ] && printf 'old\\nnew\\n' || echo old ;;
  "compose up"*"app") touch "$LOG.up" ;;
esac
"""
SSH = """#!/bin/sh
cd "$THERE" && exec sh -c "$2"
"""


def test_a_pipeline_releases_by_digest_on_a_machine_and_takes_it_back(tmp_path: Path) -> None:
    """Real git and the real scripts; only `ssh` and `docker` stand in."""
    here, there, tools = tmp_path / "here", tmp_path / "there", tmp_path / "tools"
    shutil.copytree(TEMPLATE / "scripts", here / "scripts")
    (here / "app").mkdir()
    answers = '[project]\nslug = "demo"\n[hosting]\ntarget = "compose"\n'
    (here / "app" / "answers.toml").write_text(answers + 'release_strategy = "rolling"\n')
    (here / ".gitignore").write_text(".env*\n")
    as_me = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q"], ["add", "-A"], [*as_me, "commit", "-qm", "One"]):
        assert run(*GIT, *words, cwd=here).returncode == 0
    assert run(*GIT, "clone", "-q", str(here), str(there / "app"), cwd=tmp_path).returncode == 0
    (there / "app" / ".env").write_text("SECRET_KEY=kept\nTAG=local\nAPP_REPLICAS=1\n")
    assert run(*GIT, *as_me, "commit", "-qm", "Two", "--allow-empty", cwd=here).returncode == 0
    tools.mkdir()
    for name, text in (("docker", DOCKER), ("ssh", SSH)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    log = tmp_path / "log"
    more = {"PATH": f"{tools}:{os.environ['PATH']}", "LOG": str(log), "THERE": str(there)}
    release = [sys.executable, "scripts/ship/release.py"]

    nowhere = run(*release, "deploy", "production", IMAGE, cwd=here, env=more)
    done = run(*release, "deploy", "production", IMAGE, cwd=here, env=more | {"MACHINE": "a@b"})

    assert nowhere.returncode == 1
    assert "MACHINE" in nowhere.stderr
    assert done.returncode == 0, done.stderr
    now = (there / "app" / ".env").read_text().splitlines()
    digest = IMAGE.partition(":")[2]
    assert {*now} >= {"SECRET_KEY=kept", f"TAG={digest}", "PREVIOUS_TAG=local"}
    assert f"IMAGE={IMAGE.partition(':')[0]}" in now
    assert f"|pull --quiet {IMAGE}" in log.read_text()
    assert f"{digest}|compose run --rm --no-deps migrate" in log.read_text()
    heads = [run(*GIT, "rev-parse", "HEAD", cwd=one).stdout for one in (here, there / "app")]
    assert heads[0] == heads[1]

    back = run(*release, "rollback", "production", cwd=here, env=more | {"MACHINE": "a@b"})

    assert back.returncode == 1
    assert "local is no digest" in back.stderr


@pytest.mark.parametrize("named", ["registry.example.com/demo:v1", "registry.example.com/demo", ""])
def test_only_what_has_a_digest_is_deployed_or_signed(named: str) -> None:
    for words in (["sign", named], ["deploy", "staging", named]):
        done = run(
            sys.executable, "scripts/ship/release.py", *words, cwd=TEMPLATE, env={"DRY": "1"}
        )
        assert done.returncode != 0
        assert "by digest" in done.stderr


def test_the_chart_takes_what_a_release_hands_it(ship: Callable[[str], ModuleType]) -> None:
    """The very words, but for what needs a cluster."""
    words = ways(ship, "deploy", release_strategy="canary")[0]
    kept = [one for one in words[3:] if one not in ("--atomic", "--create-namespace")]

    rendered = run("helm", "template", *kept[: kept.index("--timeout")], cwd=TEMPLATE)

    assert rendered.returncode == 0, rendered.stderr
    assert IMAGE in rendered.stdout


def test_fewer_rows_after_a_migration_are_a_loss(ship: Callable[[str], ModuleType]) -> None:
    pytest.importorskip("psycopg", reason="the app's package; the recipe itself needs it")
    fewer = ship("forward").fewer

    assert fewer({"users": 2, "old": 0}, {"users": 2, "new": 0}) == []
    assert fewer({"users": 2, "old": 1}, {"users": 1}) == [
        "old had 1 rows and has gone", "users had 2 rows and has 1",
    ]  # fmt: skip


def test_renovate_finds_the_versions_of_tools() -> None:
    (manager,) = json.loads((TEMPLATE / "renovate.json").read_text())["customManagers"]
    pattern = manager["matchStrings"][0].replace("(?<", "(?P<")
    found = re.findall(pattern, (SHIP / "tools.py").read_text())

    assert {"bandit", "pip-audit", "zizmor"} <= {name for name, _ in found}


class Careless(BaseHTTPRequestHandler):
    """Everything that the probe is there to see."""

    def do_GET(self) -> None:
        body = f"<p>{unquote(self.path)} Traceback {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Set-Cookie", "session=1")
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_TRACE(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


def test_the_probe_sees_what_a_careless_server_gives_away(
    ship: Callable[[str], ModuleType],
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        client = ship("client").Client(f"http://127.0.0.1:{server.server_port}")
        found = "\n".join(ship("probe").problems(client))
        unwell = ship("smoke").problems(client)
    finally:
        server.shutdown()
        server.server_close()

    for told in (
        "nosniff", "Referrer-Policy", "Server says", "Content-Security-Policy", "frame it",
        "session is not httponly", "session is not samesite", "/.env can be read",
        "tells of the inside", "* may read answers", "links follow the Host header",
        "TRACE is answered", "becomes part of the page",
    ):  # fmt: skip
        assert told in found, told
    assert any("without a session" in one for one in unwell)
