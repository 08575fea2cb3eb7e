"""Identifiers that sort by time of birth, so that indexes grow at one end."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7() -> UUID:
    """A version 7 UUID (RFC 9562, section 5.7): 48 bits of milliseconds, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def born(identifier: UUID) -> datetime:
    """When a version 7 UUID was made, to the millisecond."""
    return EPOCH + timedelta(milliseconds=identifier.int >> 80)
