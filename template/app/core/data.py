"""What each table holds, and how that is protected: docs/security/data.md.

Each model says so in a line beside its columns:

    __data__ = holds(personal="address", credentials="token_digest", kept="auth.clean_up")

Ids, times, numbers and switches are plain without being named.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Float, Integer, Table, Uuid

ACCOUNT = "account"
ORGANIZATION = "organization"
FOREVER = "forever"
INSTALLATION = "installation"
PLAIN_TYPES = (BigInteger, Boolean, Date, DateTime, Float, Integer, Uuid)


class Level(StrEnum):
    """What may be done with a value, the least protected first."""

    PLAIN = "plain"
    """Says nothing about anybody and opens nothing."""
    PERSONAL = "personal"
    """Says who someone is, where, or how they are reached."""
    WORDS = "words"
    """What people write, and what is answered."""
    CREDENTIAL = "credential"
    """Opens something, or is what a secret is compared with."""


@dataclass(frozen=True)
class Data:
    kept: str
    levels: dict[str, Level] = field(default_factory=dict)
    """By column; those that are plain by their type are left out."""


def holds(
    *, kept: str, plain: str = "", personal: str = "", words: str = "", credentials: str = ""
) -> Data:
    """The columns of each level, with spaces between, and how long a row is kept.

    `kept`: ACCOUNT or ORGANIZATION, with which a row goes, the name of the scheduled job that
    deletes it, FOREVER, or INSTALLATION: how the app is set up, in which nothing is but plain.
    """
    named = {
        Level.PLAIN: plain,
        Level.PERSONAL: personal,
        Level.WORDS: words,
        Level.CREDENTIAL: credentials,
    }
    return Data(kept, {name: level for level, names in named.items() for name in names.split()})


def tables() -> Iterator[tuple[Table, Data | None]]:
    """Every table of every module with what its model says of it, by name."""
    from app.core.db import Base
    from app.modules import parts

    parts("models")
    found = {
        mapper.local_table.name: (mapper.local_table, vars(mapper.class_).get("__data__"))
        for mapper in Base.registry.mappers
        if isinstance(mapper.local_table, Table)
    }
    return (found[name] for name in sorted(found))


def level(column: Column[Any], data: Data) -> Level | None:
    """None for a column that nobody has thought about."""
    if column.name in data.levels:
        return data.levels[column.name]
    return Level.PLAIN if isinstance(column.type, PLAIN_TYPES) else None
