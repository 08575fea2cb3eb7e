"""What a user and a group are here, and documents that hold nothing else."""

from collections.abc import Mapping
from typing import Any

from app.scim.errors import BadRequest

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
LONGEST = 1000
MANY = 2000
READ_ONLY = {"id", "meta", "schemas"}
# Required, because nobody is neither in nor out; who does not say means in.
DEFAULTS = {"active": True}


def _attribute(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "multiValued": False,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
        "description": name,
    } | more


NAME = [_attribute(name) for name in ("formatted", "givenName", "familyName")]
EMAIL = [
    _attribute("value", required=True),
    _attribute("type"),
    _attribute("primary", "boolean"),
]
MEMBER = [
    _attribute("value", mutability="immutable", caseExact=True, required=True),
    _attribute(
        "$ref", "reference", referenceTypes=["User"], mutability="immutable", caseExact=True
    ),
]
# `externalId` belongs to every resource, so no schema lists it.
SCHEMAS: dict[str, dict[str, Any]] = {
    USER: {
        "id": USER,
        "name": "User",
        "description": "A member of the organisation",
        "attributes": [
            _attribute("userName", required=True, uniqueness="server"),
            _attribute("name", "complex", subAttributes=NAME),
            _attribute("displayName"),
            _attribute("active", "boolean", required=True),
            _attribute("emails", "complex", multiValued=True, required=True, subAttributes=EMAIL),
        ],
    },
    GROUP: {
        "id": GROUP,
        "name": "Group",
        "description": "Members of the organisation under one name",
        "attributes": [
            _attribute("displayName", required=True),
            _attribute("members", "complex", multiValued=True, subAttributes=MEMBER),
        ],
    },
}
KNOWN = {
    schema: {
        one["name"].lower(): one for one in [*document["attributes"], _attribute("externalId")]
    }
    for schema, document in SCHEMAS.items()
}


def clean(schema: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The known attributes of what was sent. Raises `BadRequest`."""
    found = {}
    for key, value in given.items():
        known = KNOWN[schema].get(bare(schema, key).lower())
        if known and value not in (None, [], {}):
            found[known["name"]] = value_of(known, value)
    for known in KNOWN[schema].values():
        if known["required"] and known["name"] not in found:
            if known["name"] in DEFAULTS:
                found[known["name"]] = DEFAULTS[known["name"]]
                continue
            raise BadRequest("invalidValue", f"{known['name']} is missing.")
    return found


def bare(schema: str, name: str) -> str:
    """An attribute's name without the schema before it."""
    return name[len(schema) + 1 :] if name.lower().startswith(schema.lower() + ":") else name


def value_of(known: Mapping[str, Any], value: Any) -> Any:
    """A value in the form that its attribute has. Raises `BadRequest`."""
    name = known["name"]
    if known["multiValued"]:
        values = value if isinstance(value, list) else [value]
        if len(values) > MANY:
            raise BadRequest("tooMany", f"{name} holds more than {MANY} values.")
        return [_single(known, one) for one in values]
    if isinstance(value, list):
        # Entra wraps single values: [{"value": "Ada"}].
        value = value[0] if len(value) == 1 else None
    if known["type"] != "complex" and isinstance(value, Mapping) and set(value) == {"value"}:
        value = value["value"]
    return _single(known, value)


def _single(known: Mapping[str, Any], value: Any) -> Any:
    name, kind = known["name"], known["type"]
    if kind == "complex" and isinstance(value, Mapping):
        parts = {one["name"].lower(): one for one in known["subAttributes"]}
        found = {}
        for key, inner in value.items():
            part = parts.get(str(key).lower())
            if part and inner is not None:
                found[part["name"]] = _single(part, inner)
        missing = [one["name"] for one in parts.values() if one["required"]]
        if any(part not in found for part in missing):
            raise BadRequest("invalidValue", f"{name} lacks a value.")
        return found
    if kind == "boolean":
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"  # Entra writes "False"
        if isinstance(value, bool):
            return value
    if kind in {"string", "reference"} and isinstance(value, str) and len(value) <= LONGEST:
        if "\0" in value:
            raise BadRequest("invalidValue", f"{name} holds a character that cannot be stored.")
        return value
    raise BadRequest("invalidValue", f"{name} does not have the form of its schema.")
