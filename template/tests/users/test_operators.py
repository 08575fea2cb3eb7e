import asyncio
from collections.abc import Callable
from secrets import token_hex

from app.users import operators
from app.users.lifespan import lifespan
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
