"""A value that fits a JSON schema: what the stand-in answers when it is asked for data."""

from collections.abc import Mapping
from math import ceil, inf
from typing import Any

Schema = Mapping[str, Any]

WORDS = "Made up by the stand-in: no model is connected."
FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "nobody@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def fitting(schema: Schema, definitions: Schema | None = None) -> Any:
    """The plainest value: nothing where nothing will do, a list as short as it may be.

    What a pattern or a validator of the class asks for it cannot know.
    """
    known = schema.get("$defs", {}) if definitions is None else definitions
    if "$ref" in schema:
        return fitting(known[schema["$ref"].rpartition("/")[2]], known)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return None if {"type": "null"} in choices else fitting(choices[0], known)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: fitting(one, known) for name, one in properties.items()}
        case "array":
            given = [fitting(one, known) for one in schema.get("prefixItems", ())]
            missing = schema.get("minItems", 0) - len(given)
            return given + [fitting(schema.get("items", {}), known) for _ in range(missing)]
        case "string":
            return _text(schema)
        case "integer" | "number":
            return _number(schema, 1 if schema["type"] == "integer" else 0.5)
        case "boolean":
            return False
    return None


def _text(schema: Schema) -> str:
    if "format" in schema:
        return FORMATS.get(schema["format"], WORDS)
    return WORDS.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def _number(schema: Schema, step: float) -> float:
    found: float = max(0, schema.get("minimum", 0), schema.get("exclusiveMinimum", -step) + step)
    for most in (schema.get("maximum"), schema.get("exclusiveMaximum", inf) - step):
        found = found if most is None else min(found, most)
    if every := schema.get("multipleOf"):
        found = ceil(found / every) * every
    return found
