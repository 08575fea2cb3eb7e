"""A tool is a function in the `tools.py` of any module:

    class Search(Arguments):
        words: str = Field(max_length=200)

    @tool(title="Search the notes", permission="notes.read", stakes="read")
    async def search_notes(db: AsyncSession, use: Use, arguments: Search) -> str:
        \"\"\"Find notes that hold these words.\"\"\"
        ...

The docstring is what the model is told. With `db` in front it runs in a transaction of its own, as
the person who asks. One that calls other servers has none, and begins with `use`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from inspect import getdoc, signature
from typing import Any, Literal, get_type_hints
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from app.access.person import Person
from app.access.roles import known
from app.modules import parts

Stakes = Literal["read", "write", "high"]
Cost = Literal["cheap", "dear"]

NAME = re.compile(r"[a-z][a-z0-9_]{2,47}")


class Arguments(BaseModel):
    """What a tool takes. Nothing is guessed: a number is no text, an unknown name is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


@dataclass(frozen=True, slots=True)
class Use:
    """For whom a tool works, and where it was asked for."""

    person: Person
    conversation_id: UUID | None = None
    tainted: bool = True
    """Words are in the context that neither the person nor the app has written."""


class BadTool(RuntimeError):
    """A tool that cannot be offered as it is declared; it stops the start."""


@dataclass(frozen=True)
class Tool:
    """What the model is told of a function, and what binds its use."""

    name: str
    title: str
    """For people."""
    description: str
    """For the model."""
    permission: str
    stakes: Stakes
    """`read` changes nothing, `write` can be undone, `high` waits for approval."""
    cost: Cost
    taints: bool
    """Its result may hold what others have written."""
    seconds: float | None
    arguments: type[Arguments]
    function: Callable[..., Awaitable[Any]]
    takes_db: bool

    @cached_property
    def schema(self) -> dict[str, Any]:
        found: dict[str, Any] = without_titles(self.arguments.model_json_schema())
        return found


_tools: dict[str, Tool] = {}


def tool(
    *,
    title: str,
    permission: str,
    stakes: Stakes,
    cost: Cost = "cheap",
    taints: bool = True,
    seconds: float | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], Tool]:
    """Register a function under its name. Raises `BadTool`."""

    def register(function: Callable[..., Awaitable[Any]]) -> Tool:
        name, described = function.__name__, " ".join((getdoc(function) or "").split())
        takes, hints = list(signature(function).parameters), get_type_hints(function)
        arguments = hints.get("arguments")
        if not NAME.fullmatch(name) or name in _tools:
            raise BadTool(f"{name} is no name for a tool, or there is one of that name.")
        if not described:
            raise BadTool(f"The docstring of {name} must tell the model what it does.")
        if takes not in (["db", "use", "arguments"], ["use", "arguments"]):
            raise BadTool(f"{name} takes (db, use, arguments) or (use, arguments).")
        if not (isinstance(arguments, type) and issubclass(arguments, Arguments)):
            raise BadTool(f"{name} must say its arguments by a class made from `Arguments`.")
        made = Tool(
            name=name,
            title=title,
            description=described,
            permission=permission,
            stakes=stakes,
            cost=cost,
            taints=taints,
            seconds=seconds,
            arguments=arguments,
            function=function,
            takes_db=takes[0] == "db",
        )
        _tools[name] = made
        return made

    return register


def tools() -> Mapping[str, Tool]:
    """Every tool by its name."""
    parts("tools")
    return _tools


def refuse_unknown_permissions() -> None:
    """Raise `BadTool` for one that asks for a permission that no module has."""
    for one in tools().values():
        if one.permission not in known():
            raise BadTool(f"{one.name} asks for {one.permission}, which no permissions.py names.")


def without_titles(schema: Any) -> Any:
    """A schema without what is said twice: each word of it is paid with each call."""
    if isinstance(schema, list):
        return [without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {field: without_titles(one) for field, one in value.items()}
        if name in {"properties", "$defs"} and isinstance(value, dict)
        else without_titles(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str))
    }
