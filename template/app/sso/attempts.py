"""The way to a provider and back: bound to one browser, usable once, for ten minutes.

The browser keeps one secret in a cookie. Nonce and code verifier follow from it and the state, so
the database holds nothing with which a stolen code could be used.
"""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import delete

from app.core.clock import now
from app.core.crypto import digest, keyed_digest, new_token
from app.core.db import transaction
from app.core.errors import Problem
from app.sso.models import SsoAttempt
from app.sso.providers import Provider

LIFETIME = timedelta(minutes=10)

Purpose = Literal["sign_in", "link", "confirm"]


class AttemptExpired(Problem):
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "This sign-in was started in another browser, was used already or is too old."
            " Please start again."
        )


@dataclass(frozen=True)
class Attempt:
    provider: str
    purpose: str
    user_id: UUID | None
    next_path: str
    state: str = field(repr=False)
    browser: str = field(repr=False)
    """What its cookie holds."""
    begun_at: datetime

    @property
    def nonce(self) -> str:
        return keyed_digest(f"{self.browser} {self.state}", "sso nonce").hex()

    @property
    def verifier(self) -> str:
        return keyed_digest(f"{self.browser} {self.state}", "sso verifier").hex()

    @property
    def challenge(self) -> str:
        hashed = hashlib.sha256(self.verifier.encode()).digest()
        return urlsafe_b64encode(hashed).rstrip(b"=").decode()


async def begin(
    provider: Provider,
    purpose: Purpose,
    *,
    browser: str | None,
    next_path: str,
    user_id: UUID | None = None,
) -> Attempt:
    """Note that a browser leaves for a provider; one that has a secret keeps it."""
    made = Attempt(
        provider=provider.name,
        purpose=purpose,
        user_id=user_id,
        next_path=next_path,
        state=new_token(),
        browser=browser or new_token(),
        begun_at=now(),
    )
    async with transaction(elevated=True) as db:
        db.add(
            SsoAttempt(
                state_digest=digest(made.state),
                browser_digest=digest(made.browser),
                provider=made.provider,
                purpose=made.purpose,
                user_id=made.user_id,
                next_path=made.next_path,
                expires_at=made.begun_at + LIFETIME,
            )
        )
    return made


async def take(provider: Provider, state: str, browser: str | None) -> Attempt:
    """Use an attempt up. Of many at once exactly one succeeds; the others get `AttemptExpired`."""
    async with transaction(elevated=True) as db:
        row = await db.scalar(
            delete(SsoAttempt)
            .where(SsoAttempt.state_digest == digest(state))
            .where(SsoAttempt.browser_digest == digest(browser or ""))
            .where(SsoAttempt.provider == provider.name, SsoAttempt.expires_at > now())
            .returning(SsoAttempt)
        )
    if row is None or browser is None:
        raise AttemptExpired
    return Attempt(
        provider=row.provider,
        purpose=row.purpose,
        user_id=row.user_id,
        next_path=row.next_path,
        state=state,
        browser=browser,
        begun_at=row.expires_at - LIFETIME,
    )
