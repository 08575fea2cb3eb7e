"""Vectors of texts that were seen before, by what made them; `app.llm.embeddings` asks for them.

Each organisation has its own: how fast an answer comes says nothing of what others wrote.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.cache.models import DIMENSIONS, CachedVector
from app.cache.settings import CacheSettings
from app.core.db import transaction
from app.core.ids import uuid7

# Questions are short and few; passages of documents are kept where they belong.
MOST_TEXTS = 4
MOST_CHARACTERS = 2_000


async def find(
    organization_id: UUID, model: str, texts: Sequence[str]
) -> Mapping[str, Sequence[float]]:
    """The vectors that are there, by text."""
    if not _fit(texts):
        return {}
    digests = {_digest(text): text for text in texts}
    async with transaction(organization_id=organization_id) as db:
        rows = await db.execute(
            select(CachedVector.digest, CachedVector.embedding, CachedVector.numbers)
            .where(CachedVector.organization_id == organization_id)
            .where(CachedVector.made_by == model, CachedVector.digest.in_(digests))
        )
        return {digests[bytes(digest)]: vector[:count] for digest, vector, count in rows}


async def keep(
    organization_id: UUID, model: str, texts: Sequence[str], vectors: Sequence[Sequence[float]]
) -> None:
    if not _fit(texts):
        return
    rows = [
        {
            "id": uuid7(),
            "organization_id": organization_id,
            "made_by": model,
            "digest": _digest(text),
            "numbers": len(vector),
            "embedding": list(vector),
        }
        for text, vector in zip(texts, vectors, strict=True)
        if any(vector) and len(vector) <= DIMENSIONS
    ]
    if not rows:
        return
    async with transaction(organization_id=organization_id) as db:
        await db.execute(insert(CachedVector).on_conflict_do_nothing(), rows)


def _fit(texts: Sequence[str]) -> bool:
    return (
        CacheSettings.load().vectors
        and len(texts) <= MOST_TEXTS
        and all(len(one) <= MOST_CHARACTERS for one in texts)
    )


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
