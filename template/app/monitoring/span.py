"""The days that a page or an answer of the API is about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import Depends

from app.core.clock import now

CHOICES = (7, 30, 90)


@dataclass(frozen=True)
class Span:
    """So many days of UTC, the last of them today."""

    length: int

    @property
    def days(self) -> list[datetime]:
        today = now().replace(hour=0, minute=0, second=0, microsecond=0)
        return [today - timedelta(days=n) for n in reversed(range(self.length))]

    @property
    def since(self) -> datetime:
        return self.days[0]

    @property
    def until(self) -> datetime:
        return self.days[-1] + timedelta(days=1)

    @property
    def labels(self) -> list[str]:
        return [f"{day.day} {day:%b}" for day in self.days]


def _span(days: Literal["7", "30", "90"] = "30") -> Span:
    return Span(int(days))


Days = Annotated[Span, Depends(_span)]
