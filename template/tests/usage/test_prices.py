import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.usage import prices
from app.usage.prices import Price, price_of

FILE = Path(prices.__file__).parent / "prices.toml"


def test_every_table_says_when_and_where_it_was_read():
    for name, table in tomllib.loads(FILE.read_text(encoding="utf-8")).items():
        assert table["as_of"] <= datetime.now(UTC).date(), name
        assert table["source"], name


@pytest.mark.parametrize(
    ("provider", "models", "known"),
    [
        ("openai", ("gpt-6.1-terra",), True),
        ("openai", ("gpt-4o-2024-08-06",), True),
        ("compatible", ("openai/gpt-4o",), True),
        ("azure", ("our-deployment", "gpt-4o-2024-11-20"), True),
        ("azure", ("our-deployment",), False),
        ("ollama", ("anything:7b",), True),
        ("compatible", ("mystery",), False),
    ],
)
def test_a_model_is_found_under_any_of_its_names(provider, models, known):
    assert price_of(provider, *models).known is known


def test_an_unknown_price_is_the_dearest():
    unknown = price_of("compatible", "mystery")
    for table in tomllib.loads(FILE.read_text(encoding="utf-8")).values():
        for values in table.values():
            if isinstance(values, dict):
                assert unknown.input >= values["input"] * 1_000_000
                assert unknown.output >= values["output"] * 1_000_000


def test_machines_of_ones_own_cost_nothing():
    assert price_of("vllm", "mystery").cost(10**6, 10**6) == 0


def test_a_cost_is_rounded_up_to_whole_microdollars():
    price = Price(input=150_000, cached_input=75_000, output=600_000)

    assert price.cost(1, 0) == 1
    assert price.cost(1_000_000, 1_000_000) == 750_000
    assert price.cost(1000, 100, cached_input_tokens=400) == 90 + 30 + 60


def test_long_input_is_dearer_as_a_whole():
    price = price_of("openai", "gpt-6.1-terra")

    assert price.cost(272_000, 0) == 272_000
    assert price.cost(272_001, 1000) == 544_002 + 7_500


def test_prices_of_ones_own_win(tmp_path, configure):
    own = tmp_path / "prices.toml"
    own.write_text(
        '["*"]\n"gpt-4o" = { input = 1, output = 2 }\n[compatible]\nx = { input = 3, output = 4 }\n'
    )
    configure(USAGE_PRICES_FILE=own)

    assert price_of("openai", "gpt-4o").input == 1_000_000
    assert price_of("compatible", "x").output == 4_000_000
    assert price_of("openai", "gpt-4o-mini").known


def test_a_trained_model_has_the_price_that_was_written_down_before_it_had_a_name(
    tmp_path, configure
):
    trained = "ft:gpt-4o-2024-08-06:example::A1b2"
    assert not price_of("openai", trained).known
    own = tmp_path / "prices.toml"
    own.write_text('["*"]\n"ft:gpt-4o" = { input = 3.75, output = 15 }\n')
    configure(USAGE_PRICES_FILE=own)
    assert price_of("openai", trained).output == 15_000_000
    assert price_of("compatible", f"openai/{trained}").known
    assert price_of("openai", "gpt-4o").output == 10_000_000
    assert not price_of("openai", "ft:gpt-4o-mini:example::A1b2").known
