"""The alerts: each fires when it should, has a runbook, and asks for figures that there are."""

import re
import shutil
import subprocess

import pytest
import yaml

from app.core.metrics import METRICS
from app.core.service_levels import ServiceLevels
from app.core.settings import ROOT
from app.modules import MODULES, has, parts

OPS = ROOT / "ops"
RULES = sorted((OPS / "prometheus" / "rules").glob("*.yml"))
METRIC = re.compile(r"\b(?:app|process)_[a-z0-9_]+")
EVENTS = re.compile(r'event=~?"([^"]+)"')
SECTIONS = ["## Look", "## Do", "## Undo"]
PAGE = re.compile(r"`(/[a-z/-]+)`")
COMMAND = re.compile(r"`app ([a-z]+)")
SETTING = re.compile(r"\b(?:LLM|SLO|METRICS|JOBS|DATABASE)_[A-Z_]+[A-Z]\b")
TOOLS = pytest.mark.skipif(
    not shutil.which("promtool"), reason="No promtool: install Prometheus to test the alerts."
)


def rules():
    for path in RULES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, cwd=OPS / "prometheus")
    assert done.returncode == 0, done.stdout + done.stderr


@TOOLS
def test_prometheus_reads_rules_and_settings():
    run("promtool", "check", "rules", *map(str, RULES))
    run("promtool", "check", "config", "--syntax-only", "prometheus.yml")


@TOOLS
@pytest.mark.dear
def test_each_alert_fires_and_keeps_quiet_when_it_should():
    tests = sorted((OPS / "prometheus" / "tests").glob("*.yml"))
    run("promtool", "test", "rules", *map(str, tests))


@pytest.mark.skipif(not shutil.which("amtool"), reason="No amtool: install Alertmanager.")
def test_alertmanager_knows_whom_to_tell():
    run("amtool", "check-config", str(OPS / "alertmanager" / "alertmanager.yml"))
    for severity in ("page", "ticket"):
        done = subprocess.run(
            ["amtool", "config", "routes", "test", f"severity={severity}",
             f"--config.file={OPS / 'alertmanager' / 'alertmanager.yml'}"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == severity


def test_each_alert_is_tested_both_ways():
    quiet, fires = set(), set()
    for path in (OPS / "prometheus" / "tests").glob("*.yml"):
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for one in case["alert_rule_test"]:
                (fires if one["exp_alerts"] else quiet).add(one["alertname"])
    assert fires == quiet | {"SloBurnsSlowly"} == set(ALERTS)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_each_alert_has_a_runbook_that_names_what_is_there(name):
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["runbook_url"] == f"ops/runbooks/{name}.md"
    text = (OPS / "runbooks" / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == SECTIONS
    for path in re.findall(r"\]\((\S+)\)", text):
        assert (OPS / "runbooks" / path).exists(), path


def test_runbooks_are_of_alerts_and_name_commands_and_settings_that_there_are():
    books = {path.stem: path.read_text(encoding="utf-8") for path in (OPS / "runbooks").iterdir()}
    assert set(books) == set(ALERTS)
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, text in books.items():
        for command in COMMAND.findall(text):
            assert command in {*MODULES, "capacity"}, (name, command)
        for setting in SETTING.findall(text):
            assert f"`{setting}`" in written, (name, setting)


@pytest.mark.skipif(not has("web"), reason="No pages.")
async def test_runbooks_lead_to_pages_that_there_are(client):
    missing = set()
    for path in (OPS / "runbooks").iterdir():
        for page in PAGE.findall(path.read_text(encoding="utf-8")):
            # Whoever is not signed in is sent to do so, from pages that there are.
            if (await client.get(page, headers={"Accept": "text/html"})).status_code == 404:
                missing.add(page)
    assert missing == set()


def test_rules_and_dashboards_ask_for_figures_that_there_are():
    parts("gauges"), parts("lifespan"), parts("call_step")
    import app.llm.steps.metrics  # noqa: F401

    known = set(METRICS)
    for kind in ("bucket", "sum", "count"):
        known |= {f"{name}_{kind}" for name, one in METRICS.items() if one.kind == "histogram"}
    if not has("documents"):  # They are asked for all the same.
        known.add("app_documents")
    files = [*RULES, *(OPS / "grafana").rglob("*.json")]
    for path in files:
        asked = set(METRIC.findall(path.read_text(encoding="utf-8")))
        assert asked - known == set(), path.name


def test_rules_wait_for_lines_of_the_log_that_are_written():
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py"))
    awaited = {event for rule in ALERTS.values() for event in EVENTS.findall(rule["expr"])}
    named = {one for group in awaited for one in group.split("|")}
    assert len(named) > 5
    assert [one for one in sorted(named) if f'"{one}"' not in written] == []


def test_the_page_of_service_levels_has_the_numbers_of_the_settings():
    text = (ROOT / "docs" / "slo.md").read_text(encoding="utf-8")
    for name, field in ServiceLevels.model_fields.items():
        told = f"{field.default} s" if name.endswith("_seconds") else f"{field.default:.1%}"
        shown = told.replace(".0%", "%").replace("%", " %")
        assert f"`SLO_{name.upper()}`, {shown}" in text, name


def test_the_collector_s_pipeline_is_made_of_parts_that_it_has():
    """With each store of lines that this project has; the collector reads both files."""
    given = yaml.safe_load((OPS / "otel" / "collector.yml").read_text(encoding="utf-8"))
    stores = [*(OPS / "otel").glob("logs-*.yml")]
    assert stores
    for path in stores:
        more = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert not set(more["exporters"]) & set(given["exporters"])
        having = given | {"exporters": given["exporters"] | more["exporters"]}
        pipelines = given["service"]["pipelines"] | more["service"]["pipelines"]
        assert set(pipelines) == {"traces", "logs"}
        for pipeline in pipelines.values():
            for kind, names in pipeline.items():
                assert set(names) <= set(having[kind]), kind
