"""The log as a file, in the order in which things happened."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

from app.access.person import Person
from app.audit import service
from app.audit.models import Event
from app.audit.schemas import EventOut
from app.core.db import transaction
from app.core.spreadsheets import as_text

Format = Literal["csv", "jsonl"]

BATCH = 1000


async def stream(person: Person, wanted: service.Filter, form: Format) -> AsyncIterator[str]:
    """A short transaction per batch: a slow reader holds nothing open."""
    write: Callable[[Sequence[Event]], str] = csv_rows if form == "csv" else json_lines
    if form == "csv":
        yield _csv([list(EventOut.model_fields)])
    sequence = 0
    while True:
        async with transaction(organization_id=person.organization_id) as db:
            events = await service.after(db, person.organization_id, wanted, sequence, BATCH)
        if events:
            yield write(events)
        if len(events) < BATCH:
            return
        sequence = events[-1].sequence


def json_lines(events: Sequence[Event]) -> str:
    return "".join(EventOut.model_validate(event).model_dump_json() + "\n" for event in events)


def csv_rows(events: Sequence[Event]) -> str:
    rows = (EventOut.model_validate(event).model_dump(mode="json") for event in events)
    return _csv([[_cell(value) for value in row.values()] for row in rows])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return as_text(json.dumps(value) if isinstance(value, dict) else str(value))


def _csv(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()
