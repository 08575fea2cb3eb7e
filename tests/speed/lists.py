"""Ask each list that people page through: of an organisation with few rows, and of a large one.

    template/.venv/bin/python tests/speed/lists.py            prints a table; some minutes

Rows are copies of those that real use leaves behind, so each column holds what it holds in life.
Read the ratios: what an index serves takes as long among a million rows as among a hundred.
"""

import argparse
import json
import re
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
from measure import APP, median, serve
from world import World

FEW, ROUNDS = 100, 7
SERIES = "generate_series(1, {rows}) AS source(number)"
SPREAD = "now() - source.number * interval '7 seconds'"
# What is copied: a table, what each copy comes from, and what differs in it.
COPIES: list[tuple[str, str, dict[str, str]]] = [
    ("users", SERIES, {"email": "'copy' || source.number || '@example.com'"}),
    (
        "memberships",
        "(SELECT id FROM users WHERE email LIKE 'copy%') AS source",
        {"user_id": "source.id"},
    ),
    ("audit_events", SERIES, {"sequence": "1000 + source.number", "created_at": SPREAD}),
    ("usage_records", SERIES, {"created_at": SPREAD, "finished_at": SPREAD}),
    ("feedback", "usage_records AS source", {"call_id": "source.id"}),
    ("review_items", "usage_records AS source", {"call_id": "source.id"}),
    ("review_looks", "review_items AS source", {"item_id": "source.id"}),
    ("conversations", SERIES, {"updated_at": SPREAD}),
    ("documents", SERIES, {"created_at": SPREAD, "file_name": "uuidv7()::text"}),
]
LISTS = [
    "/api/users",
    "/api/users?search=copy77@",
    "/api/users?search=nobody-is-called-so",
    "/admin/users",
    "/api/audit",
    "/api/audit?action=session.started",
    "/api/audit?before=500",
    "/admin/audit",
    "/api/usage",
    "/api/usage/organization",
    "/api/usage/latency",
    "/api/usage/prompts",
    "/api/usage/chargeback?month=2026-10",
    "/admin/usage",
    "/api/feedback",
    "/api/feedback?rating=down",
    "/api/feedback?rating=up",
    "/api/review",
    "/api/review/figures",
    "/api/conversations",
    "/api/documents",
    "/api/documents?search=Handbook",
    "/api/documents?search=nothing",
    "/api/documents/figures",
    "/api/monitoring/value",
    "/api/monitoring/outcomes",
]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as folder, World(Path(folder)) as world:
        admin = administrator(Path(folder) / "database")
        admin.execute("UPDATE memberships SET role = 'admin'")
        told = {"REVIEW_SAMPLE": '{"assistant": 1}', "CACHE_ANSWERS": "off"}
        with serve(APP, "/health/live", **world.environment | told) as server:
            someone = Someone(server.url, world.tokens[0])
            use(someone)
            copy(admin, FEW)
            few = {path: someone.times(path) for path in LISTS}
            began = time.perf_counter()
            copy(admin, rows)
            print(f"{rows:,} rows more in each table: {time.perf_counter() - began:.0f} s")
            many = {path: someone.times(path) for path in LISTS}
    print(f"| Read | {FEW} rows, ms | {rows:,} rows, ms | |\n| --- | --- | --- | --- |")
    for path in LISTS:
        one, other = few[path], many[path]
        print(f"| `{path}` | {one:.1f} | {other:.1f} | {other / one:.1f} × |")


def administrator(folder: Path) -> psycopg.Connection[Any]:
    """Who may write past the rules: rows only look as if somebody had made them."""
    from app.core.embedded import cluster

    found = psycopg.connect(
        host=str(folder / "socket"),
        user=cluster.ADMIN,
        password=cluster.passwords(folder)["admin"],
        dbname="app",
        autocommit=True,
    )
    found.execute("SET session_replication_role = replica")
    return found


class Someone:
    """An owner of the organisation, over HTTP."""

    def __init__(self, url: str, token: str) -> None:
        from app.core.crypto import keyed_digest

        self.url = url
        self.headers = {
            "Cookie": f"__Host-session={token}",
            "X-CSRF-Token": keyed_digest(token, "csrf session").hex(),
            "Content-Type": "application/json",
        }

    def ask(self, path: str, body: Any = None, method: str | None = None, **more: Any) -> bytes:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = self.headers | more.get("headers", {})
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                found: bytes = answer.read()
        except urllib.error.HTTPError as error:
            sys.exit(f"{path} answered {error.code}: {error.read().decode()[:500]}")
        return found

    def times(self, path: str) -> float:
        """Milliseconds, the median of some."""
        found = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            self.ask(path)
            found.append((time.perf_counter() - began) * 1000)
        return median(found[1:])


def use(someone: Someone) -> None:
    """Leave a row in each of the tables."""
    made = json.loads(someone.ask("/api/conversations", {}))["id"]
    told = someone.ask(f"/api/conversations/{made}/messages", {"text": "What is a good start?"})
    call = re.search(rb'"call_id":\s*"([0-9a-f-]{36})"', told)
    assert call, told
    said = {"rating": "down", "comment": "No."}
    someone.ask(f"/api/feedback/{call[1].decode()}", said, method="PUT")
    fields = {
        "title": b"Handbook",
        "shared": b"organization",
        "file": b"# Holidays\n\nThirty days of holidays a year.",
    }
    body = b"".join(
        b'--cut\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (name.encode(), b'; filename="a.md"' if name == "file" else b"", value)
        for name, value in fields.items()
    )
    kind = {"Content-Type": "multipart/form-data; boundary=cut"}
    someone.ask("/api/documents", body + b"--cut--\r\n", headers=kind)


def copy(admin: psycopg.Connection[Any], rows: int) -> None:
    """Each table gets so many rows in all, as if the organisation had had them for long."""
    for table, source, changes in COPIES:
        known = admin.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
            " AND attgenerated = '' AND NOT attisdropped",
            (table,),
        )
        columns = ", ".join(name for (name,) in known)
        fresh = {"id": "uuidv7()"} | changes
        told = ", ".join(f"'{name}', {value}" for name, value in fresh.items())
        made = admin.execute(
            f"INSERT INTO {table} ({columns}) SELECT made.{columns.replace(', ', ', made.')}"
            f" FROM (SELECT * FROM {table} LIMIT 1) AS one,"
            f" {source.format(rows=rows)},"
            f" LATERAL jsonb_populate_record(one::{table}, jsonb_build_object({told})) AS made"
            " ON CONFLICT DO NOTHING"
        )
        if made.rowcount < rows * 0.9:
            sys.exit(f"{table} got {made.rowcount} of {rows} rows.")
    admin.execute("ANALYZE")


if __name__ == "__main__":
    main()
