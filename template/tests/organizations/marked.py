"""Rows that bear a mark, in every table that belongs to someone: made from what the models say.

A table that is added later is filled, too, and `owned_tables` finds it in the database's catalogue.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_bytes, token_hex
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import CheckConstraint, Column, Table
from sqlalchemy import types as kinds

from app.audit import service as audit
from app.audit.jobs import anchor
from app.core import db
from app.core.clock import now
from app.core.crypto import encrypt
from app.core.db import Base
from app.core.ids import uuid7
from app.modules import parts

OWNERS = ("organization_id", "user_id", "session_id", "document_id")
# They belong to nobody: challenges before sign-in, sums of all organisations, names of old files.
UNOWNED = {
    "organizations", "users", "passkey_challenges", "sms_days", "removed_files",
    "usage_installation",
}  # fmt: skip
# Only audit_append() writes them, so the log is filled as the app does it.
BY_ITSELF = {"audit_events", "audit_heads", "audit_anchors", "organizations", "users"}
# What a check or the app's own reading asks for.
FITTING: dict[str, Any] = {
    "sessions.level": "full",
    "sessions.method": "password",
    "second_factors.kind": "totp",
    "sso_identities.provider": "google",
    "sms_messages.country": "DE",
    "phone_numbers.number": "+4915112345678",
    "usage_counters.period": "month",
    "usage_records.state": "settled",
    "abuse_sightings.kind": "scraping",
    "abuse_sightings.subject_kind": "network",
    "abuse_sightings.measure": "slow",
    "abuse_measures.scope": "requests",
    "abuse_measures.subject_kind": "network",
    "abuse_measures.lifted_because": None,
    "cached_vectors.embedding": f"[1{',0' * 1023}]",
    "review_looks.number": 1,
    "review_cases.expect": Jsonb({"rubric": "As it should be"}),
    "review_cases.origin": Jsonb({"corrected": "2026-05-04", "feature": "x", "removed": []}),
    "monitoring_readings.effect": 0.5,
    "monitoring_readings.p_value": 0.5,
    "monitoring_readings.adjusted": 0.5,
    "monitoring_alerts.effect": 0.5,
    "monitoring_alerts.adjusted": 0.5,
    "documents.kind": "csv",
    "documents.audience": "organization",
    "documents.state": "ready",
    "documents.reason": None,
    "documents.roles": [],
    "documents.reading": Jsonb({}),
    "guard_settings.actions": Jsonb({}),
    "guard_settings.words_action": "review",
    "one_time_links.purpose": "reset",
    "one_time_links.password_hash": None,
}


@dataclass
class Place:
    """An organisation, what marks its texts and numbers, whose the rows are, and their ids."""

    mark: str
    number: int
    organization_id: UUID
    user_id: UUID
    row_id: UUID = field(default_factory=uuid7)
    """The id of a row in every table, so that one request asks all of them for it."""
    ids: set[UUID] = field(default_factory=set)
    last: dict[str, UUID] = field(default_factory=dict)
    """The last row of each table: what later ones refer to."""

    def shown_in(self, text: str, *asked: object) -> list[str]:
        """What of this place stands in a text, but for what was asked for."""
        numbers = {str(self.number), f"{self.number:,}"}
        traces = {self.mark, *map(str, self.ids)} | numbers
        return sorted(one for one in traces - {str(one) for one in asked} if one in text)


async def fill(admin_url: str, place: Place, *, only: frozenset[str] | None = None) -> None:
    """A row for each owned table; `only` names tables that get one more."""
    parts("models")
    with psycopg.connect(admin_url, autocommit=True) as connection:
        place.last |= {"organizations": place.organization_id, "users": place.user_id}
        for table in Base.metadata.sorted_tables:
            owned = any(name in table.columns for name in OWNERS)
            if owned and table.name not in BY_ITSELF and (only is None or table.name in only):
                with suppress(psycopg.errors.UniqueViolation):  # there is one, and can be only one
                    _insert(connection, table, place)
    async with db.transaction(organization_id=place.organization_id) as session:
        await audit.record(
            session,
            "marked.event",
            organization_id=place.organization_id,
            user_id=place.user_id,
            target=place.mark,
            detail={"mark": place.mark},
        )
    await anchor()
    place.ids |= {place.organization_id, place.user_id}


def _insert(connection: psycopg.Connection[Any], table: Table, place: Place) -> None:
    row = {column.name: _value(column, place) for column in table.columns if not column.computed}
    for column in table.columns:
        if (whose := column.info.get("encrypted_for")) and column.name in row:
            told = FITTING.get(f"{table.name}.{column.name}", place.mark)
            row[column.name] = encrypt(told, f"{table.name}.{column.name}:{row[whose]}")
    row = {name: value for name, value in row.items() if value is not None}
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"INSERT INTO {table.name} ({names}) VALUES ({values})", row)
    place.last[table.name] = row["id"]
    place.ids.add(row["id"])


def _value(column: Column[Any], place: Place) -> Any:
    """Something that fits; None where the column may stay empty, unless it holds a text."""
    name = f"{column.table.name}.{column.name}"
    if name in FITTING:
        return FITTING[name]
    if column.name in {"organization_id", "user_id"}:
        return getattr(place, column.name)
    if column.name == "id":
        return place.row_id
    if column.foreign_keys:
        return place.last.get(next(iter(column.foreign_keys)).column.table.name)
    if column.default is not None and column.default.is_scalar:
        return column.default.arg
    if isinstance(column.type, kinds.String):
        return _text(column, place.mark)
    return None if column.nullable or column.server_default is not None else _filling(column, place)


def _text(column: Column[Any], mark: str) -> str:
    for check in column.table.constraints:
        if isinstance(check, CheckConstraint):
            found = re.search(rf"\b{column.name} IN \('(\w+)'", str(check.sqltext))
            if found:
                return found[1]
    if column.name in {"email", "recipient", "user_name"}:
        return f"{mark}.{token_hex(4)}@example.com"
    longest = getattr(column.type, "length", None) or 200
    text = f"{mark} {column.name}" if longest >= 40 else mark
    return f"{text} {token_hex(3)}" if column.unique and longest >= 60 else text[:longest]


def _filling(column: Column[Any], place: Place) -> Any:
    match column.type:
        case kinds.Boolean():
            return False
        case kinds.DateTime():
            return _month() if column.name == "starts_at" else now() + timedelta(days=1)
        case kinds.Date():
            return now().date()
        case kinds.Integer():
            return place.number
        case kinds.LargeBinary():
            return token_bytes(32)
        case kinds.ARRAY():
            return [place.mark]
        case kinds.JSON():
            return Jsonb({"displayName": place.mark, "name": {"formatted": place.mark}})
        case kinds.Uuid():
            return uuid4()
    raise NotImplementedError(f"Say in FITTING what {column} holds.")


def _month() -> datetime:
    return now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def owned_tables(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Every table with row security, and the rows of one organisation in it, from the catalogue."""
    tables = connection.execute(
        "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        " AND c.relrowsecurity GROUP BY c.relname ORDER BY c.relname"
    ).fetchall()
    of_people = "user_id IN (SELECT user_id FROM memberships WHERE organization_id = %(o)s)"
    of_sessions = "session_id IN (SELECT id FROM sessions WHERE organization_id = %(o)s)"
    of_documents = "document_id IN (SELECT id FROM documents WHERE organization_id = %(o)s)"
    found = ("organization_id = %(o)s", of_people, of_sessions, of_documents)
    rules = dict(zip(OWNERS, found, strict=True))
    for table, columns in tables:
        if table in UNOWNED:
            continue
        owner = next((name for name in OWNERS if name in columns), None)
        assert owner, f"Whose are the rows of {table}? Protect it, or name it in UNOWNED."
        yield table, f"SELECT to_jsonb(t)::text FROM {table} t WHERE {rules[owner]}"


def state(admin_url: str, organization_id: UUID) -> dict[str, list[str]]:
    """All rows of an organisation, by table, as the database's superuser sees them."""
    with psycopg.connect(admin_url) as connection:
        return {
            table: sorted(text for (text,) in connection.execute(query, {"o": organization_id}))
            for table, query in owned_tables(connection)
        }
