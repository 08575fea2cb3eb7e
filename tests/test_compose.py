"""compose.yml for every kind of project: least access, and nothing that is not there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Render

# They start as root, to become another account.
MAY_WRITE = {"clamav"}
KINDS = [
    {"project_name": "Demo", "preset": "custom", "release_strategy": "blue_green"},
    {"project_name": "Demo", "documents": False},
]


@pytest.fixture(params=KINDS, ids=str)
def compose(request: pytest.FixtureRequest, render: Render) -> dict[str, Any]:
    return read(render(**request.param) / "compose.yml")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def networks(service: dict[str, Any]) -> set[str]:
    return set(service["networks"])


def test_whatever_is_named_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert networks(service) <= set(compose["networks"]), name
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume).split(":")[0]
            if source.startswith("./"):
                assert (ROOT / "template" / source).exists(), volume
            else:
                assert source in compose["volumes"], volume
    used = set().union(*(networks(service) for service in services.values()))
    assert used == set(compose["networks"])


def test_only_the_proxy_is_reached_from_outside(compose: dict[str, Any]) -> None:
    published = {name: one["ports"] for name, one in compose["services"].items() if "ports" in one}

    assert published.pop("grafana") == ["127.0.0.1:3000:3000"]
    assert set(published) == {"proxy"}


def test_what_faces_people_is_not_in_the_database_s_network(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert not networks(services["proxy"]) & {"pooled", "database", "objects"}
    for name in {"app", "blue", "green"} & set(services):
        assert "database" not in networks(services[name])
    for name in ("web", "pooled", "database"):
        assert compose["networks"][name]["internal"], name
    for name, service in services.items():
        if "POSTGRES_PASSWORD" in str(service):
            outside = {"street", "outside", "web"}
            assert not networks(service) & outside, f"{name} knows the administrator's password"


def test_each_has_bounds_and_no_more_rights_than_it_needs(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["mem_limit"], name
        assert not service.get("privileged"), name
        assert "docker.sock" not in str(service), name
        if name not in MAY_WRITE:
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
        if service.get("restart") == "unless-stopped":
            assert service.get("healthcheck") or service.get("build"), name


def test_images_are_of_one_version(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert tag not in {"", "latest"}, name
        assert any(letter.isdigit() for letter in tag) or "build" in service, name


def test_a_restore_is_told_to_start_all_that_it_speaks_to(compose: dict[str, Any]) -> None:
    told = (ROOT / "template" / "docs" / "operations.md").read_text(encoding="utf-8")
    words = re.search(r"1\. `docker compose up -d ([\w ]+)`", told.partition("## Restore")[2])
    assert words
    started = set(words[1].split()) & set(compose["services"])
    for name in [*started]:
        started |= set(compose["services"][name].get("depends_on", {}))
    given = str(compose["services"]["backup"]["environment"].values())
    asked = set(re.findall(r"(?:@|http://)([\w-]+):\d", given))

    assert asked >= {"database", "pooler"}
    assert asked <= started


DIGEST = "sha256:" + "0123456789abcdef" * 4


def pin(project: Path, docker: str) -> subprocess.CompletedProcess[str]:
    """`make pin` with a registry that answers like this: none is reached from here."""
    program = project / "bin" / "docker"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{docker}\n")
    program.chmod(0o755)
    return subprocess.run(
        [sys.executable, str(project / "scripts" / "pin_images.py")],
        env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_digests_are_pinned_beside_what_is_ours(render: Render) -> None:
    project = render(project_name="Demo")
    override = project / "compose.override.yml"
    override.write_text("services:\n  app:\n    cpus: 2\n")

    for _ in range(2):
        done = pin(project, f"echo {DIGEST}")
        assert done.returncode == 0, done.stderr

    services = read(override)["services"]
    assert services.pop("app") == {"cpus": 2}
    others = {
        name
        for name, one in read(project / "compose.yml")["services"].items()
        if "build" not in one
    }
    assert set(services) == others
    assert services["proxy"]["image"].endswith(f"@{DIGEST}")


def test_without_a_digest_nothing_is_written(render: Render) -> None:
    project = render(project_name="Demo")

    done = pin(project, "echo refused >&2; exit 1")

    assert "No digest of caddy" in done.stderr
    assert not (project / "compose.override.yml").exists()
