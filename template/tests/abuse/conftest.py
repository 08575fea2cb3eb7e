import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from app.abuse import in_force, seeing
from app.core import db
from tests.factories import PASSWORD
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser

TABLES = ("abuse_counters", "abuse_tallies", "abuse_sightings", "abuse_measures")


async def forget_all() -> None:
    async with db.transaction(elevated=True) as session:
        for name in TABLES:
            await session.execute(text(f"DELETE FROM {name}"))
    in_force.forget()


@pytest.fixture(autouse=True)
async def nothing_seen(database) -> AsyncIterator[None]:
    """What is seen of the whole app is of all tests: here each begins and ends with nothing."""
    # Some is counted by ten minutes, and a test that went over their end would see half of it.
    if (left := -time.time() % 600) < 5:
        await asyncio.sleep(left)
    await forget_all()
    seeing.SEEN.clear()
    yield
    await forget_all()


def nobody() -> str:
    return f"nobody.{secrets.token_hex(6)}@example.com"


async def try_password(client, login=None, password="not the password", **more):
    form = {"email": login or nobody(), "password": password}
    return await client.post("/api/auth/sign-in", json=form, **more)


async def right_password(client, someone):
    return await try_password(client, someone.email, PASSWORD)


async def rows(statement: str, **values):
    async with db.transaction(elevated=True) as session:
        return [one._mapping for one in await session.execute(text(statement), values)]


async def sightings():
    return await rows("SELECT * FROM abuse_sightings ORDER BY created_at, subject_kind")


async def measures():
    return await rows("SELECT * FROM abuse_measures ORDER BY created_at")


async def events(action="abuse.seen"):
    """Of the organisation that runs the app."""
    [[runs_it]] = [
        tuple(one.values())
        for one in await rows("SELECT abuse_operator(:slug, :called)", **seeing.operator())
    ]
    async with db.transaction(organization_id=runs_it) as session:
        found = await session.execute(
            text("SELECT * FROM audit_events WHERE action = :a ORDER BY sequence DESC LIMIT 50"),
            {"a": action},
        )
        return [one._mapping for one in found]


@pytest.fixture
def limits(configure):
    """Thresholds that a test reaches quickly."""
    configure(
        ABUSE_LOGINS_PER_ADDRESS=3,
        ABUSE_FAILURES_USUAL=1000,
        ABUSE_SIGN_UPS_PER_NETWORK=3,
        ABUSE_SIGN_UPS_USUAL=1000,
        ABUSE_READS_PER_PERSON=20,
        ABUSE_READS_PER_KEY=20,
        ABUSE_PROMPTS_PER_PERSON=10,
        ABUSE_PROMPTS_PER_KEY=10,
        ABUSE_PROMPTS_PER_ORGANIZATION=1000,
    )
    return configure
