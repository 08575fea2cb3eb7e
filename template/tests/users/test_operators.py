import asyncio
from secrets import token_hex

from app.users import operators
from app.users.lifespan import lifespan
from tests.factories import make_organization


async def test_who_runs_the_app_is_known_soon_after_their_organisation_is_made(monkeypatch):
    slug = f"org-{token_hex(4)}"
    monkeypatch.setattr(operators, "slug", lambda: slug)
    monkeypatch.setattr(operators, "_known", None)
    async with lifespan():
        await asyncio.sleep(0)  # It looks, and there is none yet.
        made = await make_organization(slug=slug)
        async with asyncio.timeout(20):
            while operators.known() != made.id:
                await asyncio.sleep(0.02)
