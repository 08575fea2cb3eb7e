"""PATCH as RFC 7644 has it, and as Entra and Okta write it."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from app.scim.attributes import KNOWN, READ_ONLY, bare, clean, value_of
from app.scim.errors import BadRequest

OPERATIONS_AT_MOST = 100
PATH = re.compile(
    r'(?P<name>[$\w]+)(\[\s*(?P<by>\w+)\s+eq\s+(?P<wanted>"(?:[^"\\]|\\.)*"|true|false)\s*\])?'
    r"(\.(?P<part>[$\w]+))?",
    re.IGNORECASE,
)


def apply(schema: str, document: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The document after the operations: all of them, or `BadRequest`."""
    operations = next((body[key] for key in body if key.lower() == "operations"), None)
    if not isinstance(operations, list) or not 0 < len(operations) <= OPERATIONS_AT_MOST:
        raise BadRequest("invalidSyntax", "Operations must be a list of 1 to 100 entries.")
    changed = deepcopy(dict(document))
    for one in operations:
        if not isinstance(one, Mapping):
            raise BadRequest("invalidSyntax", "An operation must be an object.")
        action, path = str(one.get("op", "")).lower(), one.get("path")
        if action not in {"add", "replace", "remove"}:
            raise BadRequest("invalidSyntax", "op is add, replace or remove.")
        if path is None:
            _without_path(schema, changed, action, one.get("value"))
        else:
            _at(schema, changed, action, str(path), one.get("value"))
    return clean(schema, changed)


def _without_path(schema: str, document: dict[str, Any], action: str, value: Any) -> None:
    if action == "remove":
        raise BadRequest("noTarget", "remove needs a path.")
    if not isinstance(value, Mapping):
        raise BadRequest("invalidValue", "Without a path the value is an object.")
    for key, inner in value.items():
        if key not in READ_ONLY:
            _at(schema, document, action, key, inner)


def _at(schema: str, document: dict[str, Any], action: str, path: str, value: Any) -> None:
    match = PATH.fullmatch(bare(schema, path.strip()))
    if match is None:
        raise BadRequest("invalidPath", "This path is not supported.")
    if match["name"].lower() in READ_ONLY:
        raise BadRequest("mutability", f"{match['name']} cannot be changed.")
    known = KNOWN[schema].get(match["name"].lower())
    if known is None:
        # Directories send what we do not keep, such as a phone number; it is left out.
        return
    if match["by"]:
        _some(document, known, action, match, value)
    elif match["part"]:
        _part(document, known, action, match["part"], value)
    else:
        _whole(document, known, action, value)


def _whole(document: dict[str, Any], known: Mapping[str, Any], action: str, value: Any) -> None:
    name = known["name"]
    if action == "remove":
        if known["multiValued"] and value is not None:
            # Okta and Entra take members out of a group so: the value says which.
            gone = [one.get("value") for one in value_of(known, value)]
            document[name] = [one for one in document.get(name, []) if one["value"] not in gone]
        else:
            document.pop(name, None)
        return
    good = value_of(known, value)
    if known["multiValued"] and action == "add":
        document[name] = _without_doubles(document.get(name, []) + good)
    elif known["type"] == "complex" and not known["multiValued"]:
        document[name] = document.get(name, {}) | good
    else:
        document[name] = good


def _part(
    document: dict[str, Any], known: Mapping[str, Any], action: str, part: str, value: Any
) -> None:
    inner = _inner(known, part)
    if known["multiValued"]:
        targets = document.get(known["name"], [])
    else:
        targets = [document.setdefault(known["name"], {})]
    for target in targets:
        _set(target, inner, action, value)


def _some(
    document: dict[str, Any],
    known: Mapping[str, Any],
    action: str,
    match: re.Match[str],
    value: Any,
) -> None:
    """The values of a list that fit `[type eq "work"]`."""
    by = _inner(known, match["by"])
    wanted = value_of(by, match["wanted"].strip('"').replace('\\"', '"'))
    values = document.setdefault(known["name"], [])
    fitting = [one for one in values if one.get(by["name"]) == wanted]
    if not match["part"]:
        if action == "remove":
            document[known["name"]] = [one for one in values if one not in fitting]
            return
        for target in fitting:
            target.update(value_of(known, value)[0])
        return
    if not fitting and action != "remove":
        # Entra adds the work address by naming it before it is there.
        fitting = [{by["name"]: wanted}]
        values.extend(fitting)
    for target in fitting:
        _set(target, _inner(known, match["part"]), action, value)


def _inner(known: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    for one in known.get("subAttributes", []):
        if one["name"].lower() == part.lower():
            found: Mapping[str, Any] = one
            return found
    raise BadRequest("invalidPath", f"{known['name']} has no such part.")


def _set(target: dict[str, Any], known: Mapping[str, Any], action: str, value: Any) -> None:
    if action == "remove":
        target.pop(known["name"], None)
    else:
        target[known["name"]] = value_of(known, value)


def _without_doubles(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By their value the later ones win; a directory may add someone twice."""
    return list({one.get("value"): one for one in values}.values())
