"""What answers that were given again saved, for administrators."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from app.access.access import allow
from app.access.person import Person
from app.cache import service
from app.cache.service import Line
from app.cache.settings import CacheSettings
from app.core.clock import now
from app.core.db import Database
from app.usage.prices import MILLION
from app.web import flash, render
from app.web.navigation import Link

PAGE = "/admin/cache"
NAVIGATION = [Link("Cache", PAGE, "cache.read", "Model", "clock", 78)]
DAYS = 30

router = APIRouter(prefix=PAGE, include_in_schema=False)


@router.get("")
async def show(
    request: Request, db: Database, person: Annotated[Person, allow("cache.read")]
) -> HTMLResponse:
    until = now().date() + timedelta(days=1)
    since = until - timedelta(days=DAYS)
    found = {one.day: one for one in await service.by_day(db, since, until)}
    days = [since + timedelta(days=number) for number in range(DAYS)]
    lines = [found.get(day, Line()) for day in days]
    answers, oldest = await service.size(db)
    return render(
        request,
        "cache/cache.html",
        person=person,
        settings=CacheSettings.load(),
        answers=answers,
        oldest=oldest,
        total=await service.total(db, since, until),
        features=await service.by_feature(db, since, until),
        labels=[_label(day) for day in days],
        given=[one.hits for one in lines],
        missed=[one.missed for one in lines],
        saved=[
            (_label(day), dollars(one.microdollars)) for day, one in zip(days, lines, strict=True)
        ],
        dollars=dollars,
    )


@router.post("/empty")
async def empty(
    request: Request, db: Database, person: Annotated[Person, allow("cache.empty")]
) -> Response:
    count = await service.empty(db, person)
    told = "1 answer is" if count == 1 else f"{count:,} answers are"
    return flash.redirect(PAGE, f"The cache is empty: {told} gone.")


def dollars(microdollars: int) -> Decimal:
    return Decimal(microdollars) / MILLION


def _label(day: date) -> str:
    return f"{day.day} {day:%b}"
