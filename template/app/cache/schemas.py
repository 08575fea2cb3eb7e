from datetime import date, datetime

from pydantic import BaseModel, ConfigDict


class CacheLine(BaseModel):
    """Calls that could be answered from the cache; money is in millionths of a US dollar."""

    model_config = ConfigDict(from_attributes=True)

    exact: int
    alike: int
    stale: int
    missed: int
    share: float
    tokens: int
    microdollars: int
    checked: int
    agreed: int


class CacheDayLine(CacheLine):
    day: date


class CacheFeatureLine(CacheLine):
    feature: str


class CacheOut(BaseModel):
    """What the cache did since a day, and what it holds now."""

    since: date
    mode: str
    answers: int
    oldest: datetime | None
    total: CacheLine
    days: list[CacheDayLine]
    features: list[CacheFeatureLine]


class Emptied(BaseModel):
    answers: int
