"""compose.yml for every kind of project: least access, and nothing that is not there."""

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Render

# The first starts as root, to become another account; the others write into their own folders.
MAY_WRITE = {"clamav", "elasticsearch", "kibana"}
KINDS: list[dict[str, Any]] = [
    {"project_name": "Demo", "preset": "custom", "release_strategy": "blue_green"},
    {"project_name": "Demo", "documents": False},
    {"project_name": "Demo", "preset": "custom", "log_store": "elk"},
]


@pytest.fixture(params=KINDS, ids=str)
def project(request: pytest.FixtureRequest, render: Render) -> Path:
    return render(**request.param)


@pytest.fixture
def compose(project: Path) -> dict[str, Any]:
    return read(project / "compose.yml")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


# A body of prepare.sh, and where a password stands in one.
ASKED = r"ask (?:PUT|POST) (\S+) '(.*?)'\n"
QUOTED = re.compile(r"""'"\$\w+"'""")


def networks(service: dict[str, Any]) -> set[str]:
    return set(service["networks"])


def test_whatever_is_named_is_there(project: Path, compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert networks(service) <= set(compose["networks"]), name
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume).split(":")[0]
            if source.startswith("./"):
                assert (project / source).exists(), volume
            else:
                assert source in compose["volumes"], volume
    used = set().union(*(networks(service) for service in services.values()))
    assert used == set(compose["networks"])


def met(compose: dict[str, Any], address: str, by: str) -> tuple[str, int]:
    """The service and port of an address, if that service shares a network with who asks."""
    host, port = re.fullmatch(r"(?:http://)?(\w+):(\d+)(?:/\w+)?", address).groups()  # type: ignore[union-attr]
    services = compose["services"]
    assert networks(services[host]) & networks(services[by]), f"{by} does not reach {address}"
    return host, int(port)


def test_traces_and_logs_arrive_where_few_may_read_them(
    project: Path, compose: dict[str, Any]
) -> None:
    services, ops = compose["services"], project / "ops"
    collector, tempo = (read(ops / "otel" / f"{name}.yml") for name in ("collector", "tempo"))
    receivers, traces = collector["receivers"], tempo["distributor"]["receivers"]
    assert receivers["otlp"]["protocols"]["http"]["endpoint"] == "0.0.0.0:4318"
    assert traces["otlp"]["protocols"]["http"]["endpoint"] == "0.0.0.0:4318"
    to_tempo = collector["exporters"]["otlphttp/traces"]["endpoint"]
    assert met(compose, to_tempo, "collector") == ("tempo", 4318)
    store, readers = (elk if "elasticsearch" in services else loki)(ops, compose)

    # Who is in the network of the stores reads everything: nobody whom a stranger reaches.
    inside = {name for name, one in services.items() if "stores" in networks(one)}
    assert inside == {"collector", "tempo", "prometheus", "grafana", store, *readers}
    assert networks(services["tempo"]) == networks(services[store]) == {"stores"}
    assert networks(services["collector"]) == {"telling", "stores"}
    assert compose["networks"]["stores"]["internal"]
    assert compose["networks"]["telling"]["internal"]
    serving = {name for name, one in services.items() if "METRICS_PORT" in str(one)} & (
        {"app", "blue", "green", "worker"}
    )
    for name in serving:
        assert "telling" in networks(services[name]), name
        told = services[name]["environment"]
        assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == "${OTEL_EXPORTER_OTLP_ENDPOINT:-}"
        assert "collector" in told["UNENCRYPTED_HOSTS"]

    # Grafana asks those that there are, and what leads from one to the other knows the other.
    folder = ops / "grafana" / "provisioning" / "datasources"
    sources = [one for path in folder.glob("*.yml") for one in read(path)["datasources"]]
    asked = {one["uid"]: met(compose, one["url"], "grafana")[0] for one in sources}
    assert asked == {"prometheus": "prometheus", "tempo": "tempo", store: store}
    assert met(compose, "http://tempo:3200", "grafana")[1] == tempo["server"]["http_listen_port"]
    led = set(re.findall(r"'datasourceUid': '(\w+)'", str(sources)))
    assert led == {"tempo", store}
    panels = [path.read_text() for path in (ops / "grafana" / "dashboards").glob("request*.json")]
    assert set(re.findall(r'"uid": "(\w+)"', "".join(panels))) == {"tempo", store}
    for job in read(ops / "prometheus" / "prometheus.yml")["scrape_configs"]:
        for target in job.get("static_configs", [{"targets": []}])[0]["targets"]:
            if not target.startswith("localhost:"):
                assert met(compose, target, "prometheus")[0] == job["job_name"]

    # What is kept outlives its container, and nothing is kept for ever.
    assert tempo["compactor"]["compaction"]["block_retention"] == "336h"
    (volume,) = (one for one in services["tempo"]["volumes"] if not one.startswith("./"))
    assert volume.partition(":")[2] in str(tempo["storage"])


def lines_of(ops: Path, compose: dict[str, Any]) -> dict[str, Any]:
    """How the collector hands lines on: by the one file beside its own."""
    (path,) = (ops / "otel").glob("logs-*.yml")
    command, volumes = (compose["services"]["collector"][one] for one in ("command", "volumes"))
    assert f"./ops/otel/{path.name}:/etc/otelcol/logs.yaml:ro" in volumes
    assert command == ["--config=/etc/otelcol/config.yaml", "--config=/etc/otelcol/logs.yaml"]
    (exporter,) = read(path)["exporters"].values()
    return dict(exporter)


def loki(ops: Path, compose: dict[str, Any]) -> tuple[str, set[str]]:
    given = read(ops / "otel" / "loki.yml")
    assert lines_of(ops, compose)["endpoint"] == "http://loki:3100/otlp"
    assert met(compose, "http://loki:3100/otlp", "collector") == ("loki", 3100)
    assert given["server"]["http_listen_port"] == 3100
    assert given["limits_config"]["retention_period"] == "336h"
    assert given["compactor"]["retention_enabled"]
    (volume,) = (v for v in compose["services"]["loki"]["volumes"] if not v.startswith("./"))
    assert volume.partition(":")[2] in str(given["common"])
    assert not (ops / "elastic").exists()
    return "loki", set()


def elk(ops: Path, compose: dict[str, Any]) -> tuple[str, set[str]]:
    """Each asks with an account of its own, which may do what it is for."""
    services = compose["services"]
    exporter = lines_of(ops, compose)
    assert met(compose, exporter["endpoint"], "collector") == ("elasticsearch", 9200)
    assert met(compose, services["kibana"]["environment"]["ELASTICSEARCH_HOSTS"], "kibana")
    assert "-contrib:" in services["collector"]["image"], "the plain one has no such exporter"
    images = (services[one]["image"] for one in ("elasticsearch", "kibana", "elastic-accounts"))
    assert len({one.rpartition(":")[2] for one in images}) == 1
    assert services["elasticsearch"]["environment"]["xpack.security.enabled"] == "true"
    knowing = {name for name, one in services.items() if "ELASTIC_PASSWORD" in str(one)}
    assert knowing == {"elasticsearch", "elastic-accounts"}

    said = (ops / "elastic" / "prepare.sh").read_text(encoding="utf-8")
    assert set(re.findall(r"\$([A-Z_]+)", said)) <= set(services["elastic-accounts"]["environment"])
    bodies = {
        way: json.loads(body) for way, body in re.findall(ASKED, QUOTED.sub("x", said), re.DOTALL)
    }
    assert bodies["_ilm/policy/app"]["policy"]["phases"]["delete"]["min_age"] == "14d"
    settings = bodies["_component_template/logs@custom"]["template"]["settings"]
    assert settings["index.lifecycle.name"] == "app"
    for account, name in ((exporter["user"], "collector"), ("grafana", "reader")):
        assert bodies[f"_security/user/{account}"]["roles"] == [name]
        (indices,) = bodies[f"_security/role/{name}"]["indices"]
        assert any(fnmatch(exporter["logs_index"], one) for one in indices["names"])
    assert "read" not in bodies["_security/role/collector"]["indices"][0]["privileges"]
    assert not (ops / "otel" / "loki.yml").exists()
    assert "loki" not in (ops / "prometheus" / "prometheus.yml").read_text().lower()
    return "elasticsearch", {"kibana", "elastic-accounts"}


def test_only_the_proxy_is_reached_from_outside(compose: dict[str, Any]) -> None:
    published = {name: one["ports"] for name, one in compose["services"].items() if "ports" in one}

    assert published.pop("grafana") == ["127.0.0.1:3000:3000"]
    assert published.pop("alertmanager") == ["127.0.0.1:9093:9093"]
    assert published.pop("kibana", ["127.0.0.1:5601:5601"]) == ["127.0.0.1:5601:5601"]
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


def test_what_the_backup_receives_cannot_fill_the_disk(compose: dict[str, Any]) -> None:
    services = compose["services"]
    database, backup = services["database"], services["backup"]
    told = dict(one.removeprefix("-c").split("=", 1) for one in database["command"])
    rules = (ROOT / "template" / "ops" / "machine" / "pg_hba.conf").read_text(encoding="utf-8")
    lines = [line.split() for line in rules.splitlines() if line[:1] not in {"#", ""}]

    assert told["max_slot_wal_keep_size"] == "${DATABASE_WAL_KEPT:-4GB}"
    assert told["archive_timeout"] == "60s", "what docs/operations.md promises"
    mounted = f"./ops/machine/pg_hba.conf:{told['hba_file']}:ro"
    assert mounted in database["volumes"]
    assert "--builtin-locale=C.UTF-8" in database["environment"]["POSTGRES_INITDB_ARGS"]
    assert "//app_backup:" in backup["environment"]["BACKUP_STREAM_URL"]
    assert f"wal:{backup['environment']['BACKUP_SPOOL']}" in backup["volumes"]
    assert [one[2] for one in lines if one[1] == "replication"] == ["app_backup", "all"]
    assert [one[-1] for one in lines if one[0] == "host"][-3:] == [
        "reject",
        "reject",
        "scram-sha-256",
    ]
    knowing = {name for name, one in services.items() if "DATABASE_BACKUP_PASSWORD" in str(one)}
    assert knowing == {"roles", "backup"}


def test_each_has_bounds_and_no_more_rights_than_it_needs(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], f"{name} fills the disk with its lines"
        assert not service.get("privileged"), name
        assert "docker.sock" not in str(service), name
        if name not in MAY_WRITE:
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
        if service.get("restart") == "unless-stopped":
            assert service.get("healthcheck") or service.get("build"), name


def test_the_store_of_files_is_the_account_that_owns_its_folder(compose: dict[str, Any]) -> None:
    """Without rights, root may not write what the image gives to its own account, number 1000."""
    if objects := compose["services"].get("objects"):
        assert objects["user"] == "1000:1000"
        assert objects["entrypoint"] == ["/usr/bin/weed"], "its own becomes another account"


def test_a_proxy_that_is_started_again_leads_where_the_release_did(
    render: Render, tmp_path: Path
) -> None:
    """The very words of compose.yml and of the release; only Caddy stands in, and its folder."""
    project = render(**KINDS[0])
    (said := tmp_path / "said").touch()
    (tmp_path / "caddy").write_text(f'#!/bin/sh\necho "$1 $LIVE" >>{said}\n')
    (tmp_path / "caddy").chmod(0o755)
    starts = read(project / "compose.yml")["services"]["proxy"]["command"]
    code = (project / "scripts" / "release.py").read_text(encoding="utf-8")
    reload = eval(re.search(r"^RELOAD = (\(.*?\n\))", code, re.DOTALL | re.MULTILINE)[1])  # type: ignore[index]

    def runs(container: str, live: str, words: list[str]) -> None:
        env = {"LIVE": live, "HOSTNAME": container, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        words = [one.replace("$$", "$").replace("/config/", f"{tmp_path}/") for one in words]
        subprocess.run(words, env=env, check=True)

    runs("first", "blue", starts)
    runs("first", "green", ["sh", "-ec", reload])
    runs("first", "blue", starts)  # After a reboot.
    runs("second", "blue", starts)  # Made anew: .env knows best.
    runs("second", "green", starts)

    assert said.read_text().splitlines() == [
        "run blue", "reload green", "run green", "run blue", "run green",
    ]  # fmt: skip


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
