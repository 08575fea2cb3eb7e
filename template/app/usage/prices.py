"""What a model's tokens cost, in millionths of a US dollar, so that sums are exact.

A price that nobody has written down counts as the dearest there is: budgets then stop too early
rather than too late. A name may have several prices, each from a day on (UTC).
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from app.core.clock import now
from app.core.errors import CannotStart
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
    since: date | None = None
    """The first day, in UTC, on which it holds; None: since ever."""

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


KNOWN = {one.name for one in fields(Price)} - {"known", "since"} | {"from"}


def price_of(provider: str, *models: str, day: date | None = None) -> Price:
    """The price of the first of these names that the table has; models may go by several.

    As it holds on that day, today if None.
    """
    return _found(UsageSettings.load().prices_file, day or now().date(), provider, models)


@lru_cache(maxsize=1024)
def _found(own: Path, day: date, provider: str, models: tuple[str, ...]) -> Price:
    table = _table(own)
    for model in models:
        for name in _names(model):
            for key in ((provider, name), (provider, "*"), ("*", name)):
                if found := _on(day, table.get(key, ())):
                    return found
    return _dearest(own, day)


def prices_between(
    provider: str, model: str, since: datetime, until: datetime | None
) -> list[Price]:
    """Each price that the model has in this time, in order; without an end also those to come."""
    first, last = since.astimezone(UTC).date(), until and until.astimezone(UTC)
    days = [first] + [
        one
        for one in _days(UsageSettings.load().prices_file)
        if one > first
        and (last is None or datetime(one.year, one.month, one.day, tzinfo=UTC) < last)
    ]
    found: list[Price] = []
    for day in days:
        price = price_of(provider, model, day=day)
        # Between names that change and those that do not nothing may have happened to this one.
        if not found or found[-1] != price:
            found.append(price)
    return found


def check() -> None:
    """Raises `CannotStart` when the tables cannot be read."""
    own = UsageSettings.load().prices_file
    try:
        _table(own)
    except (OSError, ValueError) as error:
        told = f"A price cannot be read, USAGE_PRICES_FILE ({own}): {error}"
        raise CannotStart(told) from error


def _on(day: date, prices: tuple[Price, ...]) -> Price | None:
    """They are in the order of their days."""
    found = None
    for one in prices:
        if one.since is None or one.since <= day:
            found = one
    return found


def _names(model: str) -> list[str]:
    """`openai/gpt-4o-2024-08-06` is looked up as itself, gpt-4o-2024-08-06 and gpt-4o.

    One that was trained, `ft:gpt-4o-2024-08-06:ours::id`, also as ft:gpt-4o-2024-08-06 and
    ft:gpt-4o: its price is known before its name is. It never costs what the untrained one does.
    """
    bare = model.rpartition("/")[2]
    trained = [":".join(bare.split(":")[:2])] if bare.startswith("ft:") else []
    return [model, bare, *trained, *(DATED.sub("", one) for one in (bare, *trained))]


@cache
def _dearest(own: Path, day: date) -> Price:
    prices = [price for held in _table(own).values() if (price := _on(day, held))]
    return Price(
        input=max(max(one.input, one.long_input) for one in prices),
        # A cache that nobody knows of saves nothing.
        cached_input=max(max(one.input, one.long_input) for one in prices),
        output=max(max(one.output, one.long_output) for one in prices),
        known=False,
    )


@cache
def _days(own: Path) -> list[date]:
    """On which some price changes."""
    return sorted({one.since for held in _table(own).values() for one in held if one.since})


@cache
def _table(own: Path) -> dict[tuple[str, str], tuple[Price, ...]]:
    found = _read(Path(__file__).parent / "prices.toml")
    for key, prices in (_read(own) if own.exists() else {}).items():
        first = prices[0].since
        # What was shipped holds until the first day of one's own.
        before = [
            one for one in found.get(key, ()) if first and (not one.since or one.since < first)
        ]
        found[key] = (*before, *prices)
    return found


def _read(path: Path) -> dict[tuple[str, str], tuple[Price, ...]]:
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        (provider, model): prices
        for provider, models in document.items()
        if isinstance(models, dict)
        for model, prices in _prices(path, provider, models)
    }


def _prices(
    path: Path, provider: str, models: dict[str, Any]
) -> Iterator[tuple[str, tuple[Price, ...]]]:
    told = {name: models[name] for name in ("as_of", "source") if name in models}
    for model, values in models.items():
        if model in told:
            continue
        several = values if isinstance(values, list) else [values]
        try:
            prices = sorted(
                (_price(told | one) for one in several), key=lambda one: one.since or date.min
            )
            if len({one.since for one in prices}) < max(1, len(several)):
                raise ValueError("two prices hold from the same day, or there is none")
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path.name}: [{provider}] {model}: {error}") from error
        yield model, tuple(prices)


def _price(values: dict[str, Any]) -> Price:
    # A name that is mistyped would let a coming price hold at once.
    if unknown := set(values) - KNOWN:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    since = values.get("from")
    if since is not None and type(since) is not date:
        raise ValueError("`from` is no day such as 2027-01-01")
    long_from = values.get("long_from")
    if long_from is not None and (type(long_from) is not int or long_from < 0):
        raise ValueError(f"long_from = {long_from!r} is no number of tokens such as 200000")
    plain = {name: _micro(values, name) for name in ("input", "output")}
    long_input = _micro(values, "long_input", plain["input"])
    return Price(
        plain["input"],
        _micro(values, "cached_input", plain["input"]),
        plain["output"],
        long_from,
        long_input,
        _micro(values, "long_cached_input", long_input),
        _micro(values, "long_output", plain["output"]),
        as_of=values.get("as_of"),
        source=values.get("source", ""),
        since=since,
    )


def _micro(values: dict[str, Any], name: str, otherwise: int | None = None) -> int:
    if name not in values and otherwise is not None:
        return otherwise
    if name not in values:
        raise ValueError(f"{name} is missing: dollars for a million tokens, such as 2.5")
    given = values[name]
    try:
        dollars = Decimal("nan") if isinstance(given, bool) else Decimal(str(given))
    except ArithmeticError:
        dollars = Decimal("nan")
    if not dollars.is_finite() or dollars < 0:
        raise ValueError(
            f"{name} = {given!r} is no price: write dollars for a million tokens, such as 2.5"
        )
    return int(dollars * MILLION)
