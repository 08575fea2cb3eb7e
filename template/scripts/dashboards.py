"""Writes ops/grafana/dashboards from the table below: `python scripts/dashboards.py`."""

import json
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "ops" / "grafana" / "dashboards"
WINDOW = "$__rate_interval"
PLAIN = '{kind="plain"}'

# Title, unit, and for each line of the panel its query and its legend.
Panel = tuple[str, str, dict[str, str]]


def quantiles(metric: str, selector: str = "") -> dict[str, str]:
    rate = f"sum by (le) (rate({metric}_bucket{selector}[{WINDOW}]))"
    return {
        "half within": f"histogram_quantile(0.5, {rate})",
        "95 % within": f"histogram_quantile(0.95, {rate})",
        "99 % within": f"histogram_quantile(0.99, {rate})",
    }


def rate(metric: str, by: str, selector: str = "") -> dict[str, str]:
    return {f"{{{{{by}}}}}": f"sum by ({by}) (rate({metric}{selector}[{WINDOW}]))"}


EVENTS = "app_security_events_total"
ANSWERED = 'app_model_calls_total{outcome="answered"}'
SOLVED = 'app_model_calls_total{feature="assistant", outcome="answered"}'

DASHBOARDS: dict[str, list[Panel]] = {
    "service": [
        ("Error budget left, 30 days", "percentunit", {"{{slo}}": "slo:budget_left"}),
        ("Bad events, share of an hour", "percentunit", {"{{slo}}": "slo:bad:ratio_1h"}),
        ("Requests", "reqps", rate("app_http_requests_total", "status")),
        (
            "Pages and API: seconds until an answer begins",
            "s",
            quantiles("app_http_seconds", PLAIN),
        ),
        (
            "Slowest routes, 95 %",
            "s",
            {
                "{{route}}": "topk(8, histogram_quantile(0.95, sum by (le, route)"
                f" (rate(app_http_seconds_bucket{PLAIN}[{WINDOW}]))))"
            },
        ),
        (
            "Under way",
            "short",
            {"requests": "sum(app_http_under_way)", "streams": "sum(app_streams_open)"},
        ),
        ("Problems told to people", "reqps", rate("app_problems_total", "problem")),
        (
            "Lines of the log that worry",
            "short",
            {"{{event}}": "sum by (event) (increase(app_log_lines_total[1h]))"},
        ),
        (
            "Sign-ins",
            "short",
            {
                "failed": f'sum(increase({EVENTS}{{action="sign-in.failed"}}[15m]))',
                "done": f'sum(increase({EVENTS}{{action="session.started"}}[15m])) or vector(0)',
            },
        ),
        ("What runs", "short", {"{{release}}": "count by (release) (app_build_info)"}),
    ],
    "model": [
        ("Calls", "reqps", rate("app_model_calls_total", "outcome")),
        ("Problems", "reqps", rate("app_model_calls_total", "problem", '{problem!=""}')),
        ("Seconds until the first word", "s", quantiles("app_model_first_word_seconds")),
        ("Seconds until the end", "s", quantiles("app_model_call_seconds")),
        ("Tokens", "cps", rate("app_model_tokens_total", "kind")),
        (
            "Dollars an hour",
            "currencyUSD",
            {"{{feature}}": "sum by (feature) (increase(app_model_cost_dollars_total[1h]))"},
        ),
        (
            "Dollars this month",
            "currencyUSD",
            {
                "spent": "max(app_spent_dollars)",
                "one organisation may": "max(app_budget_dollars)",
                "all together may": "max(app_installation_budget_dollars)",
            },
        ),
        (
            "Fullest budget",
            "percentunit",
            {
                "of an organisation": "max(app_budget_used_share)",
                "of all together": "max(app_installation_budget_used_share)",
            },
        ),
        ("Guards", "reqps", rate("app_guard_verdicts_total", "guard")),
        (
            "Left alone, second model, retries, asked twice",
            "short",
            {
                "left alone: {{model}}": "max by (model) (app_model_left_alone)",
                "second model": "sum(increase(app_model_fallbacks_total[1h]))",
                "retries": "sum(increase(app_model_retries_total[1h])) or vector(0)",
                "asked twice": "sum(increase(app_model_hedges_total[1h])) or vector(0)",
            },
        ),
        (
            "Quality",
            "percentunit",
            {
                "evaluation: {{prompt}}": "min by (prompt) (app_eval_passed_share)",
                "judge: {{aspect}}": "min by (aspect) (app_judged_good_share)",
                "liked": 'max(app_feedback_day{rating="up"}) / (max(app_feedback_day{rating="up"})'
                ' + max(app_feedback_day{rating="down"}))',
            },
        ),
        (
            "Drift: tokens of an answer",
            "short",
            {
                "this hour": 'sum(increase(app_model_tokens_total{kind="output"}[1h]))'
                f" / sum(increase({ANSWERED}[1h]))",
                "this week": 'sum(increase(app_model_tokens_total{kind="output"}[7d]))'
                f" / sum(increase({ANSWERED}[7d]))",
            },
        ),
    ],
    "business": [
        (
            "People",
            "short",
            {
                "in a quarter of an hour": 'max(app_people_here{minutes="15"})',
                "in a day": 'max(app_people_here{minutes="1440"})',
                "accounts": "max(app_people)",
            },
        ),
        ("Organisations", "short", {"all": "max(app_organizations)"}),
        ("Questions answered in a day", "short", {"answered": f"sum(increase({SOLVED}[1d]))"}),
        (
            "Hours saved in a day, by METRICS_MINUTES_PER_ANSWER",
            "short",
            {
                "saved": f'(sum(increase({SOLVED}[1d])) - max(app_feedback_day{{rating="down"}}))'
                " * max(app_minutes_per_answer) / 60"
            },
        ),
        ("What people say", "short", {"{{rating}}": "max by (rating) (app_feedback_day)"}),
        (
            "Given to people",
            "short",
            {
                "approvals": "max(app_approvals_waiting)",
                "reviews": "max(app_reviews_waiting)",
                "reviews, late": "max(app_reviews_late)",
            },
        ),
        (
            "Dollars an answer",
            "currencyUSD",
            {
                "this day": "sum(increase(app_model_cost_dollars_total[1d]))"
                f" / sum(increase({ANSWERED}[1d]))"
            },
        ),
        ("Documents", "short", {"{{state}}": "max by (state) (app_documents)"}),
        ("What is tried", "short", {"{{kind}}": "max by (kind) (app_prompt_trials)"}),
    ],
    "capacity": [
        (
            "People, of those planned for",
            "percentunit",
            {"here": 'max(app_people_here{minutes="15"}) / max(app_people_at_peak)'},
        ),
        ("Processes", "short", {"{{job}}": "sum by (job) (up)"}),
        (
            "Processor",
            "percentunit",
            {"{{instance}}": f"sum by (instance) (rate(process_cpu_seconds_total[{WINDOW}]))"},
        ),
        ("Memory", "bytes", {"{{instance}}": "max by (instance) (process_resident_memory_bytes)"}),
        (
            "Database connections in use",
            "percentunit",
            {
                "{{instance}}": "max by (instance)"
                " (app_db_connections_used / app_db_connections_most)"
            },
        ),
        (
            "Waiting for the database",
            "short",
            {"{{instance}}": "max by (instance) (app_db_statements_waiting)"},
        ),
        ("The loop is late", "s", {"{{instance}}": "max by (instance) (app_loop_late_seconds)"}),
        ("Jobs", "short", {"{{state}}": "sum by (state) (max by (queue, state) (app_jobs))"}),
        (
            "The oldest job waits",
            "s",
            {"{{queue}}": "max by (queue) (app_jobs_oldest_due_seconds)"},
        ),
        ("Jobs that ended", "ops", rate("app_job_runs_total", "outcome")),
        ("Open files", "short", {"{{instance}}": "max by (instance) (process_open_fds)"}),
        (
            "Age of the figures of the database",
            "s",
            {"{{instance}}": "max by (instance) (app_figures_age_seconds)"},
        ),
    ],
}


def panel(number: int, given: Panel) -> dict[str, object]:
    title, unit, lines = given
    source = {"type": "prometheus", "uid": "prometheus"}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
        # From nothing upwards, but for a budget that is more than spent.
        "fieldConfig": {
            "defaults": {"unit": unit, "custom": {"axisSoftMin": 0}},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(65 + at), "datasource": source, "expr": query, "legendFormat": legend}
            for at, (legend, query) in enumerate(lines.items())
        ],
    }


def dashboard(name: str) -> str:
    made = {
        "uid": f"app-{name}",
        "title": name.capitalize(),
        "tags": ["app"],
        "timezone": "browser",
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "panels": [panel(number, one) for number, one in enumerate(DASHBOARDS[name])],
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def requests() -> dict[str, str]:
    """The page of one request for each store of lines that this project has: its file's name."""
    files = {"loki": "request", "elasticsearch": "request-elk"}
    there = FOLDER.parent / "provisioning" / "datasources"
    return {
        name: request(store) for store, name in files.items() if (there / f"{store}.yml").exists()
    }


def request(store: str) -> str:
    """What one request did: its lines and its traces, found by the id that people are shown."""
    kept, tempo = ({"type": name, "uid": name} for name in (store, "tempo"))
    lines: dict[str, object] = {"refId": "A", "datasource": kept}
    if store == "loki":
        lines |= {"expr": '{service_name=~".+"} | request_id="$id"'}
    else:
        lines |= {"query": 'attributes.request_id:"$id"', "timeField": "@timestamp"}
        lines |= {"metrics": [{"id": "1", "type": "logs"}], "bucketAggs": []}
    traces = {
        "refId": "A",
        "datasource": tempo,
        "queryType": "traceql",
        "query": '{ span.app.request_id = "$id" }',
        "tableType": "traces",
        "limit": 20,
    }
    kinds = (("table", "Its traces", tempo, traces, 6), ("logs", "Its lines", kept, lines, 18))
    made = {
        "uid": "app-request",
        "title": "Request",
        "tags": ["app"],
        "timezone": "browser",
        "schemaVersion": 39,
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [{"name": "id", "type": "textbox", "label": "Id of the request"}]},
        "panels": [
            {
                "id": number + 1,
                "type": kind,
                "title": title,
                "datasource": source,
                "gridPos": {"h": height, "w": 24, "x": 0, "y": 6 * number},
                "targets": [target],
            }
            for number, (kind, title, source, target, height) in enumerate(kinds)
        ],
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, text in requests().items():
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(dashboard(name), encoding="utf-8")
