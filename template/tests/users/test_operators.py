import asyncio
from collections.abc import Callable
from secrets import token_hex

from sqlalchemy import text

from app.core import db
from app.core.settings import answers
from app.users import operators, service
from app.users.lifespan import lifespan
from app.users.models import Organization
from tests.factories import make_organization


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.02)


async def test_who_runs_the_app_is_known_soon_after_their_organisation_is_made(monkeypatch):
    slug = f"org-{token_hex(4)}"
    monkeypatch.setattr(operators, "slug", lambda: slug)
    monkeypatch.setattr(operators, "_known", None)
    monkeypatch.setattr(operators, "_missed", True)
    async with lifespan():
        await until(lambda: not operators.missed())  # It looked, and there is none yet.
        made = await make_organization(slug=slug)
        await until(lambda: operators.known() == made.id)
        assert not operators.missed()


async def test_their_organisation_is_found_by_who_came_second_without_a_lock(monkeypatch):
    """What counts sign-ups makes it in the database; a job on a new one failed beside it."""
    monkeypatch.setitem(answers()["project"], "slug", f"org-{token_hex(4)}")
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def is_waiting():
        async with db.transaction() as session:
            return await session.scalar(waiting)

    async def found():
        async with db.transaction(elevated=True) as session:
            return (await service.the_organization(session)).id

    async with asyncio.timeout(20):
        async with db.transaction(elevated=True) as first:
            made = Organization(name="Ours", slug=operators.slug())
            first.add(made)
            await first.flush()
            second = asyncio.create_task(found())
            while not await is_waiting():
                await asyncio.sleep(0.02)
        assert await second == made.id
