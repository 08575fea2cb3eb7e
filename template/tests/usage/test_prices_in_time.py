"""A price that changes on a day: old until then, new from then on, and what was paid stays."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app import worker
from app.core import db
from app.core.clock import now
from app.core.errors import CannotStart
from app.main import create_app
from app.usage import prices
from app.usage.prices import price_of, prices_between
from tests.factories import make_user, sign_in
from tests.llm.caller import KEY, Caller
from tests.llm.wire_server import running
from tests.usage.conftest import Till, person_of

CHANGES = date(2027, 1, 1)
OWN = """
[openai]
"m" = [
  {{ from = {day}, input = 5, output = 40, as_of = 2026-11-20, source = "https://new.example/" }},
  {{ input = 1, output = 10, as_of = 2026-01-02, source = "https://old.example/" }},
]
["*"]
"gpt-5" = {{ from = {day}, input = 99, output = 99 }}
"""


@pytest.fixture
def own(tmp_path: Path, configure):
    """Writes the prices of a project, that change on this day."""
    file = tmp_path / "prices.toml"

    def write(content: str = OWN, day: date = CHANGES) -> None:
        file.write_text(content.format(day=day))
        configure(USAGE_PRICES_FILE=file)
        for kept in (prices._table, prices._days, prices._dearest, prices._found):
            kept.cache_clear()

    yield write
    for kept in (prices._table, prices._days, prices._dearest, prices._found):
        kept.cache_clear()


def test_each_price_holds_from_its_day_until_the_next_one_does(own):
    own()
    eve = CHANGES - timedelta(days=1)
    old, new = price_of("openai", "m", day=eve), price_of("openai", "m", day=CHANGES)
    assert (old.input, old.source, old.as_of) == (
        1_000_000,
        "https://old.example/",
        date(2026, 1, 2),
    )
    assert (new.input, new.source, new.since) == (5_000_000, "https://new.example/", CHANGES)
    # The shipped one holds until the first day of one's own.
    assert price_of("openai", "gpt-5", day=eve).input == 1_250_000
    assert price_of("openai", "gpt-5", day=CHANGES).input == 99_000_000


def test_a_price_that_holds_later_is_unknown_until_then(own):
    own('[openai]\n"late" = {{ from = {day}, input = 1000, output = 1000 }}\n')
    eve = price_of("openai", "late", day=CHANGES - timedelta(days=1))
    assert not eve.known
    assert eve.input < 1_000_000_000, "the dearest of those that hold on the day"
    assert price_of("openai", "late", day=CHANGES).known


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{{ form = 2027-01-01, input = 1, output = 2 }}", "unknown: form"),
        ('{{ from = "2027-01-01", input = 1, output = 2 }}', "no day"),
        ("[{{ input = 1, output = 2 }}, {{ input = 3, output = 4 }}]", "the same day"),
        ("[]", "there is none"),
        ("{{ output = 2 }}", "input is missing"),
        ('{{ input = "2,50", output = 2 }}', "input = .2,50. is no price: write dollars"),
        ("{{ input = 1, output = -2 }}", "output = -2 is no price"),
        ("{{ input = 1, output = nan }}", "output = nan is no price"),
        ("{{ input = true, output = 1 }}", "input = True is no price"),
        ("{{ input = 1, output = 2, long_from = 0.5 }}", "long_from = 0.5 is no number"),
    ],
)
def test_a_price_that_cannot_be_read_stops_the_start(own, entry, told):
    own(f'[openai]\n"m" = {entry}\n')
    with pytest.raises(CannotStart, match=rf"prices.toml: \[openai\] m: .*{told}"):
        prices.check()


async def test_neither_does_a_worker_start(own):
    own("[openai")
    async with asyncio.timeout(20):
        with pytest.raises(CannotStart, match="A price cannot be read"):
            await worker.run()


async def test_the_server_is_told_so_in_a_sentence(own):
    own('[openai]\n"m" = {{ input = "2,50", output = 2 }}\n')
    told = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        told.append(message)

    with pytest.raises(CannotStart):
        await create_app()({"type": "lifespan"}, receive, send)
    [failed] = told
    assert failed["type"] == "lifespan.startup.failed"
    assert failed["message"].startswith("A price cannot be read, USAGE_PRICES_FILE (")
    assert failed["message"].endswith("write dollars for a million tokens, such as 2.5")
    assert "\n" not in failed["message"]


def test_a_time_has_each_of_its_prices_and_one_without_an_end_those_to_come(own):
    own()
    december = datetime(2026, 12, 1, tzinfo=UTC)
    new_year, february = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)

    def inputs(*span: datetime | None) -> list[int]:
        return [one.input // 1_000_000 for one in prices_between("openai", "m", *span)]

    assert inputs(december, new_year) == [1]
    assert inputs(new_year, february) == [5]
    assert inputs(december, february) == [1, 5]
    assert inputs(december, None) == [1, 5]


async def test_a_call_is_paid_by_the_day_on_which_it_began_and_the_ledger_keeps_it(
    client, own, configure, monkeypatch
):
    tomorrow = now() + timedelta(days=1)
    own(day=tomorrow.date())
    someone = await make_user(role="admin", display_name="Ada Lovelace")
    caller = Caller(person_of(someone))
    async with running() as server:
        configure(LLM_PROVIDER="openai", LLM_BASE_URL=server.url, LLM_MODEL="m", LLM_API_KEY=KEY)
        _, before = await caller.ask("What was it yesterday?")
        monkeypatch.setattr("app.llm.call.now", lambda: tomorrow)
        _, after = await caller.ask("What is it today?")
    assert before.cost_microdollars == 20 * 1 + 10 * 10
    assert after.cost_microdollars == 20 * 5 + 10 * 40
    assert await caller.reserved() == 0

    await sign_in(client, someone)
    paid = (await client.get("/api/usage/organization")).json()["features"]
    assert sum(one["microdollars"] for one in paid) == 120 + 500
    # What is written down later changes nothing of what was paid.
    own('[openai]\n"m" = {{ input = 777, output = 777 }}\n')
    assert (await client.get("/api/usage/organization")).json()["features"] == paid


async def test_whoever_reads_usage_sees_the_prices_of_then_and_those_to_come(client, own):
    own(day=now().date() + timedelta(days=40))
    admin = await make_user(role="admin")
    for someone, provider in ((admin, "openai"), (await make_user(password=False), "mystery")):
        till = Till(person_of(someone))
        await till.settle(await till.reserve(provider=provider))
    await sign_in(client, admin)
    found = (await client.get("/api/usage/prices")).json()
    assert [(one["provider"], one["input"], one["source"]) for one in found] == [
        ("openai", 1_000_000, "https://old.example/"),
        ("openai", 5_000_000, "https://new.example/"),
    ], "nothing of the other organisation's models"
    assert [one["since"] for one in found] == [None, f"{now().date() + timedelta(days=40)}"]
    async with db.transaction(organization_id=admin.organization_id) as session:
        await session.execute(text("UPDATE usage_records SET created_at = '2026-02-03T12:00Z'"))
    february = {"since": "2026-02-01T00:00:00Z", "until": "2026-03-01T00:00:00Z"}
    (then,) = (await client.get("/api/usage/prices", params=february)).json()
    assert then["source"] == "https://old.example/"

    await sign_in(client, await make_user(admin.organization_id))
    assert (await client.get("/api/usage/prices")).status_code == 403
