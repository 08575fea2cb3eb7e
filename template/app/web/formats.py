"""How values read on a page: filters for templates."""

from datetime import UTC, datetime
from decimal import Decimal

from markupsafe import Markup, escape

NEARLY = 0.99995
"""999,950 reads 1M: rounded, it would be 1000k."""
SIZES = {1_000_000_000: "B", 1_000_000: "M", 1_000: "k"}


def when(value: datetime | None, missing: str = "Never", *, seconds: bool = False) -> Markup:
    """A moment as people read it, in UTC; app.js adds the local time as a tooltip."""
    if value is None:
        return escape(missing)
    moment = _utc(value)
    clock = f"{moment:%H:%M:%S}" if seconds else f"{moment:%H:%M}"
    return _time(moment, f"{moment.day} {moment:%b %Y}, {clock} UTC")


def day(value: datetime | None, missing: str = "Never") -> Markup:
    """The day of a moment, in UTC."""
    if value is None:
        return escape(missing)
    moment = _utc(value)
    return _time(moment, f"{moment.day} {moment:%b %Y}")


def number(value: float | Decimal) -> str:
    """1234567 reads 1,234,567; fractions keep two places."""
    return f"{value:,}" if value == int(value) and isinstance(value, int) else f"{value:,.2f}"


def short_number(value: float | Decimal) -> str:
    """For scales and tiles: 1234567 reads 1.2M."""
    amount = float(value)
    for size, letter in SIZES.items():
        if abs(amount) >= size * NEARLY:
            return f"{amount / size:.1f}".removesuffix(".0") + letter
    return f"{amount:.2f}".rstrip("0").rstrip(".")


def money(value: float | Decimal, currency: str = "$") -> str:
    """Model calls cost fractions of a cent, so small sums keep two digits that say something."""
    amount = Decimal(str(value))
    if amount == int(amount) and abs(amount) >= 100:
        return f"{currency}{amount:,.0f}"
    if amount == 0 or abs(amount) >= Decimal("0.1"):
        return f"{currency}{amount:,.2f}"
    places = min(-amount.adjusted() + 1, 8)
    return f"{currency}{amount:.{places}f}"


def initials(name: str) -> str:
    """Ada Lovelace reads AL."""
    words = name.split() or ["?"]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("A time without a zone cannot be shown.")
    return value.astimezone(UTC)


def _time(moment: datetime, text: str) -> Markup:
    machine = moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return Markup('<time datetime="{}">{}</time>').format(machine, text)
