"""What an authenticator is asked to sign: each counts once, for one browser and one purpose."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.clock import now
from app.core.crypto import digest
from app.core.errors import Invalid
from app.passkeys.models import PasskeyChallenge

LIFETIME = timedelta(minutes=5)

Purpose = Literal["add", "sign-in", "second-factor", "confirm"]


class ChallengeExpired(Invalid):
    def __init__(self) -> None:
        super().__init__("That took too long, or was sent already. Please try again.")


class PasskeyRefused(Invalid):
    """What a program sent that is no browser, or a browser on a page that is not ours."""

    def __init__(self, detail: str = "This answer of the passkey cannot be accepted.") -> None:
        super().__init__(detail)


@dataclass(frozen=True)
class Known:
    """A passkey, for a browser that must find it again or must not make it twice."""

    credential_id: bytes
    transports: Sequence[str]


async def new(db: AsyncSession, purpose: Purpose, browser: str) -> bytes:
    """A challenge for the browser whose session has this token against request forgery."""
    challenge = secrets.token_bytes(32)
    db.add(
        PasskeyChallenge(
            digest=digest(challenge.hex()),
            purpose=purpose,
            browser=digest(browser),
            expires_at=now() + LIFETIME,
        )
    )
    return challenge


async def use(db: AsyncSession, challenge: bytes, purpose: Purpose, browser: str) -> None:
    """Use it up. Raises `ChallengeExpired` for all but the first.

    Let the transaction end well, whatever comes of the answer: or the challenge would come back.
    """
    used = await db.scalar(
        delete(PasskeyChallenge)
        .where(PasskeyChallenge.digest == digest(challenge.hex()))
        .where(PasskeyChallenge.purpose == purpose, PasskeyChallenge.browser == digest(browser))
        .where(PasskeyChallenge.expires_at > now())
        .returning(PasskeyChallenge.id)
    )
    if used is None:
        raise ChallengeExpired
