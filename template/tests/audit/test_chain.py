import json
import random
import string

import pytest
from sqlalchemy import text

from app.audit.chain import canonical
from app.core.db import transaction

pytestmark = pytest.mark.usefixtures("app")

LETTERS = string.printable + "äßﬁ漢字🙂\u00a0\u2028\x7f\x01\x1f\\\"/'"


def anything(random_source: random.Random, depth: int = 3) -> object:
    kinds = ["text", "number", "flag", "nothing"] + (["list", "object"] if depth else [])
    match random_source.choice(kinds):
        case "text":
            return "".join(random_source.choices(LETTERS, k=random_source.randrange(12)))
        case "number":
            return random_source.randrange(-(10**20), 10**20) >> random_source.randrange(60)
        case "flag":
            return random_source.random() < 0.5
        case "nothing":
            return None
        case "list":
            return [anything(random_source, depth - 1) for _ in range(random_source.randrange(5))]
    return {
        "".join(random_source.choices(LETTERS, k=random_source.randrange(6))): anything(
            random_source, depth - 1
        )
        for _ in range(random_source.randrange(6))
    }


async def test_we_write_json_exactly_as_the_database_does():
    source = random.Random(80)
    values = [anything(source) for _ in range(2000)]

    async with transaction() as db:
        rows = await db.execute(
            text("SELECT value::text FROM jsonb_array_elements(CAST(:all AS jsonb)) AS value"),
            {"all": json.dumps(values)},
        )
        written = list(rows.scalars())

    assert [canonical(value) for value in values] == written


@pytest.mark.parametrize("value", [0.5, {"a": [1.0]}, float("nan")])
async def test_numbers_that_would_come_back_otherwise_are_refused(value):
    with pytest.raises(TypeError):
        canonical(value)
