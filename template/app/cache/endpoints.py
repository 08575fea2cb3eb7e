from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from app.access.access import allow
from app.access.person import Person
from app.cache import service
from app.cache.schemas import CacheDayLine, CacheFeatureLine, CacheLine, CacheOut, Emptied
from app.cache.settings import CacheSettings
from app.core.clock import now
from app.core.db import Database

router = APIRouter(prefix="/api/cache", tags=["cache"])


@router.get("")
async def show_cache(
    db: Database,
    person: Annotated[Person, allow("cache.read")],
    days: Annotated[int, Query(ge=1, le=366)] = 30,
) -> CacheOut:
    """What answers that were given again saved the organisation."""
    until = now().date() + timedelta(days=1)
    since = until - timedelta(days=days)
    answers, oldest = await service.size(db)
    return CacheOut(
        since=since,
        mode=CacheSettings.load().answers,
        answers=answers,
        oldest=oldest,
        total=CacheLine.model_validate(await service.total(db, since, until)),
        days=[CacheDayLine.model_validate(one) for one in await service.by_day(db, since, until)],
        features=[
            CacheFeatureLine.model_validate(one)
            for one in await service.by_feature(db, since, until)
        ],
    )


@router.delete("")
async def empty_cache(db: Database, person: Annotated[Person, allow("cache.empty")]) -> Emptied:
    """Every answer and vector that is kept for the organisation goes."""
    return Emptied(answers=await service.empty(db, person))
