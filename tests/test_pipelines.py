"""Pipelines of all three systems: the same steps, recipes that exist, and nobody may too much."""

import json
import re
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
import yaml
from conftest import Render, tree
from pipelines import GITLAB, JENKINS, SHIP, TEMPLATE, run

WORKFLOWS = sorted((TEMPLATE / ".github" / "workflows").glob("*.yml"))
CI, RELEASE = (TEMPLATE / ".github" / "workflows" / name for name in ("ci.yml", "release.yml"))
SYSTEMS = {"github": WORKFLOWS, "gitlab": [GITLAB], "jenkins": [JENKINS]}


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


def test_a_load_test_in_a_pipeline_has_people_who_work(tmp_path: Path) -> None:
    """Sessions are made on staging and never stand in the repository."""
    workflow = yaml.safe_load((TEMPLATE / ".github" / "workflows" / "load.yml").read_text())
    [given] = [one for one in workflow["jobs"]["load"]["steps"] if "SESSIONS" in one.get("env", {})]
    assert given["env"]["SESSIONS"] == "${{ secrets.LOAD_SESSIONS }}"
    (tmp_path / "ops" / "load").mkdir(parents=True)
    done = run("/bin/sh", "-ec", given["run"], cwd=tmp_path, env={"SESSIONS": "a,b\nc,d"})
    written = tmp_path / "ops" / "load" / "people.csv"
    assert done.returncode == 0, done.stderr
    assert written.read_text() == "a,b\nc,d\n"
    assert written.stat().st_mode & 0o077 == 0
    assert "/ops/load/people.csv" in (TEMPLATE / ".gitignore").read_text()
    # A file's path comes in the variable that is read.
    assert "LOAD_SESSIONS" in (TEMPLATE / "ops" / "load" / "locustfile.py").read_text()
    assert "LOAD_SESSIONS = credentials('load-sessions')" in JENKINS.read_text()


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
    (RELEASE, pipelines.github, "make promote TO=staging", "true", "nobody promotes"),
    (GITLAB, pipelines.gitlab, "make promote TO=staging", "true", "nobody promotes"),
    (JENKINS, pipelines.jenkins, "make promote TO=staging", "true", "nobody promotes"),
    (GITLAB, pipelines.gitlab, "extends: .release", "extends: .releases", ".releases"),
    (GITLAB, pipelines.gitlab, "      when: manual\n", "", "nobody said yes"),
    (GITLAB, pipelines.gitlab, "stage: image", "stage: picture", "no stage"),
    (GITLAB, pipelines.gitlab, "python:3.13-bookworm", "python:latest", "any image"),
    (GITLAB, pipelines.gitlab, "needs: []", "needs: [picture]", "picture"),
    (GITLAB, pipelines.gitlab, "  resource_group: production\n", "", "twice at once"),
    (RELEASE, pipelines.github, "      packages: read # the signature\n", "", "the signature"),
    (JENKINS, pipelines.jenkins, "env.CHANGE_FORK", "false", "what strangers propose"),
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


@pytest.mark.parametrize(
    ("script", "arguments", "sentence"),
    [
        ("smoke.py", ["nonsense"], "nonsense is no address: write all of it, such as https://"),
        ("scan.py", ["nonsense"], "nonsense: no such scan; there are code, secrets,"),
    ],
)
def test_a_recipe_that_was_given_nonsense_says_what_it_wants(
    script: str, arguments: list[str], sentence: str
) -> None:
    path = SHIP / script
    done = subprocess.run(
        [sys.executable, str(path), *arguments], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(sentence)
