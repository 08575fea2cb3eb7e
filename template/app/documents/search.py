"""Find passages by their words and by their vectors, among those that the person may read.

Row security is inside both queries: what it hides is neither found nor counted. The two lists are
put together by reciprocal rank fusion: who is high in both comes first, whatever their scores.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.person import Person
from app.core.db import transaction
from app.core.errors import Problem
from app.core.logging import log
from app.core.vectors import nearest
from app.documents.indexing import FEATURE, model_of
from app.documents.models import Document, Passage
from app.documents.service import live_version
from app.limits.connections import fetch
from app.llm import embeddings
from app.llm.extractive.words import terms

LIVE: LiteralString = "SELECT * FROM live_document_index(%(organization_id)s)"
CANDIDATES = 40
# The usual constant: it keeps the first place of one list from outweighing both.
RANK_CONSTANT = 60
# Beyond it, two texts have nothing to do with each other.
MOST_DISTANCE = 0.9
MOST_WORDS = 16
NOT_WORD = re.compile(r"[\W_]+")
SHORTEST_PREFIX = 4


@dataclass(frozen=True, slots=True)
class Hit:
    document_id: UUID
    name: str
    place: int
    page: int | None
    heading: str
    text: str
    score: float


async def search(person: Person, question: str, *, limit: int) -> list[Hit]:
    """The best passages first. No transaction is open while the question gets its vector."""
    index = await _live_index(person)
    if index is None:
        return []
    live, made_by = index
    vector = await _vector(person, question, model_of(made_by))
    async with transaction(organization_id=person.organization_id, user_id=person.user_id) as db:
        by_words = await _by_words(db, question, live)
        by_vector = await _by_vector(db, vector, live) if vector else []
        found = await _hits(db, fused(by_words, by_vector)[:limit])
        is_current = bool(found) or await live_version(db) == live
    # Another index took this one's place meanwhile, and its passages went.
    return found if is_current else await search(person, question, limit=limit)


async def _live_index(person: Person) -> tuple[int, str] | None:
    """Its number and kind; None where no document was ever uploaded."""
    row = await fetch(LIVE, {"organization_id": person.organization_id})
    return (row[0], row[1]) if row and row[0] is not None else None


def fused(*lists: Sequence[UUID]) -> list[tuple[UUID, float]]:
    scores: dict[UUID, float] = {}
    for one in lists:
        for rank, found in enumerate(one, 1):
            scores[found] = scores.get(found, 0.0) + 1 / (RANK_CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


async def _vector(person: Person, question: str, model: str) -> list[float] | None:
    """None when its provider cannot be reached now: words alone find something, too."""
    if not embeddings.can_make(model):
        return None
    try:
        [vector] = await embeddings.embed(
            [question],
            organization_id=person.organization_id,
            user_id=person.user_id,
            feature=FEATURE,
            model=model,
        )
    except Problem as problem:
        log.warning("documents.no_vector", problem=problem.type)
        return None
    return vector if any(vector) else None


def _shown(version: int) -> tuple[ColumnElement[bool], ...]:
    """Row security adds who may read it."""
    ready = select(Document.id).where(Document.id == Passage.document_id, Document.state == "ready")
    return (Passage.version == version, ready.exists())


async def _by_vector(db: AsyncSession, vector: Sequence[float], version: int) -> list[UUID]:
    near = await nearest(db, Passage.embedding, vector, where=_shown(version), limit=CANDIDATES)
    return [one.id for one in near if one.distance < MOST_DISTANCE]


async def _by_words(db: AsyncSession, question: str, version: int) -> list[UUID]:
    query = by_words(question, version)
    return [] if query is None else list((await db.scalars(query)).all())


def by_words(question: str, version: int) -> Select[UUID] | None:
    """Any of the words, the rarest endings left off; None for a question without words."""
    found = dict.fromkeys(part for term in terms(question) for part in NOT_WORD.split(term) if part)
    words = list(found)[:MOST_WORDS]
    if not words:
        return None
    wanted = func.to_tsquery(
        "simple",
        " | ".join(f"{one}:*" if len(one) >= SHORTEST_PREFIX else one for one in words),
    )
    rank = func.ts_rank_cd(Passage.words, wanted, 1)
    mine = Passage.organization_id == select(func.current_organization()).scalar_subquery()
    return (
        select(Passage.id)
        .where(mine, Passage.words.op("@@")(wanted), *_shown(version))
        .order_by(rank.desc(), Passage.id)
        .limit(CANDIDATES)
    )


async def _hits(db: AsyncSession, found: Sequence[tuple[UUID, float]]) -> list[Hit]:
    scores = dict(found)
    rows = await db.execute(
        select(Passage, Document.name)
        .join(Document, Document.id == Passage.document_id)
        .where(Passage.id.in_(list(scores)))
    )
    hits = [
        Hit(
            passage.document_id, name, passage.place, passage.page, passage.heading,
            passage.text, scores[passage.id],
        )
        for passage, name in rows
    ]  # fmt: skip
    return sorted(hits, key=lambda hit: (-hit.score, hit.document_id, hit.place))
