"""What tfparse found, made easy to ask."""

from collections.abc import Iterator
from typing import Any

Parsed = dict[str, list[dict[str, Any]]]
ANYWHERE = {"0.0.0.0/0", "::/0", "*", "Internet"}


def said(one: dict[str, Any], *path: str) -> Any:
    """A value inside nested blocks; a block that stands once is a dict, several are a list."""
    value: Any = one
    for name in path:
        if isinstance(value, list):
            value = value[0] if value else None
        value = value.get(name) if isinstance(value, dict) else None
    return value


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def where(one: dict[str, Any]) -> str:
    return str(one["__tfmeta"]["path"])


def must(one: dict[str, Any], **wanted: Any) -> Iterator[str]:
    for name, value in wanted.items():
        given = said(one, *name.split("__"))
        if given != value:
            yield f"{where(one)}: {name.replace('__', '.')} must be {value!r} and is {given!r}"
