"""What a model's tokens cost, in millionths of a US dollar, so that sums are exact.

A price that nobody has written down counts as the dearest there is: budgets then stop too early
rather than too late.
"""

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from app.usage.settings import UsageSettings

MILLION = 1_000_000
# Providers date their models: gpt-4o-2024-08-06 costs what gpt-4o costs.
DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")


@dataclass(frozen=True, slots=True)
class Price:
    """Microdollars for a million tokens; with more input than `long_from` the long prices hold."""

    input: int
    cached_input: int
    output: int
    long_from: int | None = None
    long_input: int = 0
    long_cached_input: int = 0
    long_output: int = 0
    known: bool = True
    as_of: date | None = None
    source: str = ""
    """Where the price was read on that day."""

    def cost(self, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> int:
        """Microdollars, rounded up."""
        is_long = self.long_from is not None and input_tokens > self.long_from
        rates = (
            (self.long_input, self.long_cached_input, self.long_output)
            if is_long
            else (self.input, self.cached_input, self.output)
        )
        fresh = input_tokens - cached_input_tokens
        total = fresh * rates[0] + cached_input_tokens * rates[1] + output_tokens * rates[2]
        return -(-total // MILLION)


def price_of(provider: str, *models: str) -> Price:
    """The price of the first of these names that the table has; models may go by several."""
    own = UsageSettings.load().prices_file
    table = _table(own)
    for model in models:
        for name in _names(model):
            for key in ((provider, name), (provider, "*"), ("*", name)):
                if found := table.get(key):
                    return found
    return _dearest(own)


def _names(model: str) -> list[str]:
    """`openai/gpt-4o-2024-08-06` is looked up as itself, gpt-4o-2024-08-06 and gpt-4o.

    One that was trained, `ft:gpt-4o-2024-08-06:ours::id`, also as ft:gpt-4o-2024-08-06 and
    ft:gpt-4o: its price is known before its name is. It never costs what the untrained one does.
    """
    bare = model.rpartition("/")[2]
    trained = [":".join(bare.split(":")[:2])] if bare.startswith("ft:") else []
    return [model, bare, *trained, *(DATED.sub("", one) for one in (bare, *trained))]


@cache
def _dearest(own: Path) -> Price:
    prices = list(_table(own).values())
    return Price(
        input=max(max(one.input, one.long_input) for one in prices),
        # A cache that nobody knows of saves nothing.
        cached_input=max(max(one.input, one.long_input) for one in prices),
        output=max(max(one.output, one.long_output) for one in prices),
        known=False,
    )


@cache
def _table(own: Path) -> dict[tuple[str, str], Price]:
    shipped = _read(Path(__file__).parent / "prices.toml")
    return shipped | (_read(own) if own.exists() else {})


def _read(path: Path) -> dict[tuple[str, str], Price]:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        (provider, model): _price(
            {name: models[name] for name in ("as_of", "source") if name in models} | values
        )
        for provider, models in document.items()
        if isinstance(models, dict)
        for model, values in models.items()
        if isinstance(values, dict)
    }


def _price(values: dict[str, Any]) -> Price:
    long_input = values.get("long_input", values["input"])
    return Price(
        _micro(values["input"]),
        _micro(values.get("cached_input", values["input"])),
        _micro(values["output"]),
        values.get("long_from"),
        _micro(long_input),
        _micro(values.get("long_cached_input", long_input)),
        _micro(values.get("long_output", values["output"])),
        as_of=values.get("as_of"),
        source=values.get("source", ""),
    )


def _micro(dollars: int | float | str) -> int:
    return int(Decimal(str(dollars)) * MILLION)
