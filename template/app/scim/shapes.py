"""Resources as answers, with the attributes that were asked for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.scim.attributes import GROUP, USER, bare
from app.scim.discovery import address
from app.scim.service import Resource

ALWAYS = ("schemas", "id")


def shape(
    schema: str, resource: Resource, wanted: str | None = None, unwanted: str | None = None
) -> dict[str, Any]:
    name = {USER: "User", GROUP: "Group"}[schema]
    content: dict[str, Any] = {
        "schemas": [schema],
        "id": str(resource.id),
        **resource.document,
        "meta": {
            "resourceType": name,
            "created": _moment(resource.created_at),
            "lastModified": _moment(resource.updated_at),
            "location": address(f"/{name}s/{resource.id}"),
        },
    }
    if wanted:
        asked = _names(schema, wanted)
        found = {name: _only(value, name.lower(), asked) for name, value in content.items()}
    elif unwanted:
        asked = _names(schema, unwanted)
        found = {name: _without(value, name.lower(), asked) for name, value in content.items()}
    else:
        return content
    found |= {name: content[name] for name in ALWAYS}
    return {name: value for name, value in found.items() if value is not None}


def _names(schema: str, text: str) -> set[str]:
    return {bare(schema, name.strip()).lower() for name in text.split(",")}


def _only(value: Any, name: str, asked: set[str]) -> Any:
    """The value, those parts of it that were asked for, or None."""
    if name in asked:
        return value
    parts = {one.partition(".")[2] for one in asked if one.startswith(f"{name}.")}
    return _parts(value, lambda part: part in parts) if parts else None


def _without(value: Any, name: str, asked: set[str]) -> Any:
    if name in asked:
        return None
    parts = {one.partition(".")[2] for one in asked if one.startswith(f"{name}.")}
    return _parts(value, lambda part: part not in parts) if parts else value


def _parts(value: Any, fits: Any) -> Any:
    if isinstance(value, list):
        return [_parts(one, fits) for one in value]
    if isinstance(value, Mapping):
        return {part: inner for part, inner in value.items() if fits(part.lower())}
    return value


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
