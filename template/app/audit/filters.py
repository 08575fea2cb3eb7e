"""Which events someone asks for, as query parameters of pages and JSON API alike."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BeforeValidator

from app.audit.service import Filter


def _none_if_empty(value: object) -> object:
    """A form sends its empty fields, too."""
    return None if value == "" else value


# A date is tried first: of a moment that is given as a day, the whole day is meant.
Moment = Annotated[date | datetime | None, BeforeValidator(_none_if_empty)]


def _filter(
    action: Annotated[
        # No NUL: an export would begin its answer before the database refuses it.
        str,
        Query(max_length=100, pattern=r"^[^\x00]*$", description="`session` finds all its kinds"),
    ] = "",
    person: Annotated[UUID | None, BeforeValidator(_none_if_empty)] = None,
    since: Annotated[Moment, Query(alias="from")] = None,
    until: Annotated[Moment, Query(alias="to", description="A day counts as a whole")] = None,
) -> Filter:
    return Filter(
        action=action.strip(),
        user_id=person,
        since=_aware(since),
        until=_aware(until, whole_day=True),
    )


def _aware(moment: date | datetime | None, *, whole_day: bool = False) -> datetime | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        if whole_day and moment < date.max:  # behind it there is no day
            moment += timedelta(days=1)
        moment = datetime.combine(moment, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# Beyond it the database has no number.
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
Wanted = Annotated[Filter, Depends(_filter)]
