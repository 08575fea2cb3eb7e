"""Find an earlier answer in one round trip, and say what is to be noted of a call."""

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any, LiteralString
from uuid import UUID

from psycopg import Error as PsycopgError
from psycopg.types.json import Jsonb
from sqlalchemy import func

from app.cache import likeness, noting
from app.cache.keys import Keys
from app.cache.models import DIMENSIONS, CachedAnswer
from app.cache.settings import CacheSettings
from app.core.clock import now
from app.core.db import transaction
from app.core.errors import Problem
from app.core.logging import log
from app.core.vectors import nearest, written
from app.limits.connections import fetch
from app.llm import embeddings
from app.llm.call import Call
from app.llm.port import Finish, Source

FIND: LiteralString = (
    "SELECT * FROM cache_find(%(organization)s, %(wanted)s, %(loose)s, %(seconds_ago)s)"
)
SECONDS_AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Hit:
    """An earlier answer."""

    id: UUID
    what: str
    """exact, similar or stale."""
    text: str
    details: dict[str, Any]
    seconds: float
    """How old it is."""

    @property
    def finish(self) -> Finish:
        sources = tuple(Source(**one) for one in self.details["sources"])
        return Finish(self.details["reason"], self.details["model"], sources=sources)


@dataclass(slots=True)
class Kept:
    """What is known of a call until it is noted."""

    keys: Keys
    hit: Hit | None = None
    said: str | None = None
    finish: Finish | None = None
    vector: list[float] | None = None
    made_by: str = ""
    since: tuple[datetime, str] | None = None
    """When the call began, and what the database had committed by then; unknown if it was away."""


async def find(call: Call, kept: Kept, *, stale: bool = False) -> Hit | None:
    """None also while the database is away: then the model is asked."""
    values = {
        "organization": call.person.organization_id,
        "wanted": kept.keys.loose if stale else kept.keys.exact,
        "loose": stale,
        "seconds_ago": perf_counter() - call.started,
    }
    try:
        row = await fetch(FIND, values)
    except (PsycopgError, TimeoutError) as error:
        log.warning("cache.unreachable", error=type(error).__name__)
        return None
    if row is None:
        return None
    entry, *found, began, seen = row
    kept.since = kept.since or (began, seen)
    hit = Hit(entry, "stale" if stale else "exact", *found) if entry else None
    return None if stale and hit and hit.seconds > _oldest() else hit


def _oldest() -> float:
    """Also when the job that deletes them does not run."""
    settings = CacheSettings.load()
    return (settings.hours + settings.stale_hours) * SECONDS_AN_HOUR


async def find_similar(call: Call, kept: Kept) -> Hit | None:
    """The answer to the nearest question that is near enough, among those with equal signatures."""
    question = call.ask.messages[-1].content
    person = call.person
    try:
        [vector] = await embeddings.embed(
            [question],
            organization_id=person.organization_id,
            user_id=person.account,
            feature="cache",
        )
    except Problem as problem:
        log.warning("cache.no_vector", problem=problem.type)
        return None
    if not any(vector):
        return None
    kept.vector, kept.made_by = vector, embeddings.chosen()
    where = (
        CachedAnswer.scope == kept.keys.scope,
        CachedAnswer.signature == likeness.signature(question),
        CachedAnswer.made_by == kept.made_by,
        CachedAnswer.expires_at > func.clock_timestamp(),
    )
    async with transaction(organization_id=person.organization_id, user_id=person.user_id) as db:
        near = await nearest(db, CachedAnswer.embedding, vector, where=where, limit=1)
        if not near or 1 - near[0].distance < CacheSettings.load().similarity:
            return None
        found = await db.get_one(CachedAnswer, near[0].id)
        seconds = (now() - found.created_at).total_seconds()
    return Hit(found.id, "similar", found.text, found.details, seconds)


def note(call: Call, kept: Kept) -> None:
    """Count it, and keep a new answer."""
    hit, used = kept.hit, call.used
    is_new = None not in (kept.said, kept.finish, kept.since) and hit is None
    began, seen = kept.since or (None, None)
    settings = CacheSettings.load()
    values: dict[str, Any] = {
        "organization": call.person.organization_id,
        "person": call.person.account,
        "feature": call.ask.feature,
        "what": hit.what if hit else "missed",
        "entry": hit.id if hit else None,
        "prompt": call.ask.prompt.name if call.ask.prompt else "",
        "exact": kept.keys.exact,
        "loose": kept.keys.loose,
        "scope": kept.keys.scope if kept.vector else None,
        "signature": likeness.signature(call.ask.messages[-1].content) if kept.vector else None,
        "vector": written(kept.vector, DIMENSIONS) if kept.vector else None,
        "made_by": kept.made_by,
        "with_documents": bool(call.ask.passages),
        "text": kept.said if is_new else None,
        "details": Jsonb(_details(kept.finish)) if kept.finish else None,
        "tokens": used.input_tokens + used.output_tokens if used else 0,
        "microdollars": used.microdollars if used else 0,
        "seconds": settings.hours * SECONDS_AN_HOUR,
        "began": began,
        "seen": seen,
    }
    noting.note(values)


def _details(finish: Finish) -> dict[str, Any]:
    return {
        "reason": finish.reason,
        "model": finish.model,
        "sources": [
            {"path": one.path, "title": one.title, "quote": one.quote, "url": one.url}
            for one in finish.sources
        ],
    }
