"""Answers as data: `answer_as(person, ask, Invoice)` gives an `Invoice`, or raises.

Where the wire can hold a model to a schema it does, elsewhere the model is told. What comes is
mended where it is almost JSON, and checked; once the model is told what is wrong with it.
"""

import asyncio
import re
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from app.access.person import Person
from app.llm import gateway
from app.llm.errors import AnswerNotAsAsked
from app.llm.gateway import Booked
from app.llm.near_json import mended
from app.llm.port import Ask, Done, Message, Shape
from app.llm.settings import LLMSettings

Asked = TypeVar("Asked", bound=BaseModel)
NAME = re.compile(r"[^A-Za-z0-9_-]")
MOST_ERRORS = 8
# What providers that hold a model to a schema do not all know; it is checked here all the same.
UNSURE = {
    "default",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "examples",
}


@dataclass(frozen=True, slots=True)
class Shaped(Generic[Asked]):
    """An answer as data."""

    data: Asked
    asks: tuple[Done, ...]
    """The calls that it took, each settled by itself: one, or two."""


async def answer_as(
    person: Person, ask: Ask, shape: type[Asked], *, booked: Booked | None = None
) -> Shaped[Asked]:
    """Ask, and once more when what came is not as asked. Raises `AnswerNotAsAsked`.

    Both have one deadline. Every text in it has passed the output guards. `booked` is told what
    each call cost.
    """
    until = asyncio.get_running_loop().time() + LLMSettings.load().deadline_seconds
    ask = replace(ask, shape=shape_of(shape))
    asks: list[Done] = []
    for _ in range(2):
        answer = await gateway.complete(person, ask, until=until, booked=booked)
        asks.append(answer.done)
        fault = "It was cut at the limit of its length; be shorter."
        if answer.done.finish_reason != "length":
            try:
                return Shaped(shape.model_validate_json(mended(answer.text)), tuple(asks))
            except ValidationError as error:
                fault = told(error)
        again = f"This is not as asked. {fault} Give the whole answer anew, as one JSON object."
        said = [Message("assistant", answer.text), Message("user", again)]
        ask = replace(ask, messages=[*ask.messages, *said])
    raise AnswerNotAsAsked("The model did not give its answer in the form that was asked for.")


def shape_of(model: type[BaseModel]) -> Shape:
    """The schema as all providers take it: every field is there, and there are no others."""
    whole = model.model_json_schema()
    return Shape(NAME.sub("_", model.__name__)[:64], _strict(whole), whole)


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        name: {field: _strict(one) for field, one in value.items()}
        if name in {"properties", "$defs"}
        else _strict(value)
        for name, value in schema.items()
        if name not in UNSURE and not (name == "title" and isinstance(value, str))
    }
    if found.get("type") == "object" and "properties" in found:
        found |= {"required": list(found["properties"]), "additionalProperties": False}
    return found


def told(error: ValidationError) -> str:
    """What is wrong where, without what was written."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return " ".join(
        f"{'.'.join(str(part)[:40] for part in one['loc']) or 'The whole'}: {one['msg'][:200]}."
        for one in found[:MOST_ERRORS]
    )
