"""The filters that directories ask with: one attribute that equals a text."""

import re
from uuid import UUID

from app.scim.attributes import bare
from app.scim.errors import BadRequest

NAMES = {
    name.lower(): name for name in ("userName", "externalId", "id", "displayName", "emails.value")
}
EQUALS = re.compile(
    r'\s*(?P<name>[\w:.\-]+(\[type eq "\w+"\]\.value)?)\s+eq\s+"(?P<value>(?:[^"\\]|\\["\\])*)"\s*',
    re.IGNORECASE,
)
NOBODY = UUID(int=0)


def read(schema: str, expression: str) -> tuple[str, str]:
    """Attribute and text of `userName eq "ada@example.com"`. Raises `BadRequest`."""
    match = EQUALS.fullmatch(expression)
    name = bare(schema, match["name"]) if match else ""
    if name.lower().startswith("emails["):
        name = "emails.value"
    if match is None or name.lower() not in NAMES or "\0" in expression:
        raise BadRequest("invalidFilter", 'Filters have the form: userName eq "a text".')
    return NAMES[name.lower()], re.sub(r"\\(.)", r"\1", match["value"])


def identifier(value: str) -> UUID:
    """What is no id fits nothing."""
    try:
        return UUID(value)
    except ValueError:
        return NOBODY
