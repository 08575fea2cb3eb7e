"""How events are chained: each hash covers the event and the hash before it.

The text that is hashed is what PostgreSQL writes for a JSON array of the event's fields (see
audit_append() in migrations/). `canonical` writes the same text here, so a chain can be checked
by who does not trust the database.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.audit.models import Anchor, Event, Head
from app.core.clock import now
from app.core.crypto import Undecipherable, decrypt, encrypt

SEALING = "audit_anchors.seal"
START = bytes(32)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical(value: Any) -> str:
    """JSON as PostgreSQL writes a jsonb: shorter keys first, one space after comma and colon."""
    return json.dumps(_ordered(value), ensure_ascii=False)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("Keys are texts.")
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list | tuple):
        return [_ordered(one) for one in value]
    if isinstance(value, float):
        # PostgreSQL keeps numbers as decimals; a float would not come back the same.
        raise TypeError("Write a float as text.")
    return value


def hash_of(event: Event | Row[Any]) -> bytes:
    """The hash that an event must have."""
    fields = [
        event.previous_hash.hex(),
        str(event.id),
        _text(event.organization_id),
        event.sequence,
        (event.created_at - EPOCH) // timedelta(microseconds=1),
        _text(event.user_id),
        _text(event.session_id),
        event.action,
        event.target,
        event.detail,
        event.request_id,
        event.network,
        _text(event.on_behalf_of),
    ]
    return hashlib.sha256(canonical(fields).encode()).digest()


def anchor(head: Head) -> Anchor:
    """A head as it is now, sealed with ENCRYPTION_KEYS, of which the old ones still open it."""
    made = Anchor(
        created_at=now(),
        organization_id=head.organization_id,
        sequence=head.sequence,
        hash=head.hash,
    )
    made.seal = encrypt(_sealed_text(made), SEALING)
    return made


def is_sealed(anchor: Anchor) -> bool:
    """Made by who holds the key, and not changed since."""
    try:
        return decrypt(anchor.seal, SEALING) == _sealed_text(anchor)
    except Undecipherable:
        return False


def told(anchor: Anchor) -> dict[str, Any]:
    """An anchor as the log stream keeps it."""
    return {
        "organization_id": _text(anchor.organization_id),
        "sequence": anchor.sequence,
        "hash": anchor.hash.hex(),
        "seal": anchor.seal.hex(),
        "sealed_at": anchor.created_at.isoformat(),
    }


def heard(line: Mapping[str, Any]) -> Anchor:
    """The anchor that a line of the log stream tells of."""
    organization_id = line["organization_id"]
    return Anchor(
        created_at=datetime.fromisoformat(line["sealed_at"]),
        organization_id=UUID(organization_id) if organization_id else None,
        sequence=int(line["sequence"]),
        hash=bytes.fromhex(line["hash"]),
        seal=bytes.fromhex(line["seal"]),
    )


def _sealed_text(anchor: Anchor) -> str:
    moment = anchor.created_at.astimezone(UTC).isoformat()
    return f"{anchor.organization_id} {anchor.sequence} {anchor.hash.hex()} {moment}"


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
