"""A sign-in with a password: one statement before the hash, one after it, each a transaction.

Everyone signs in at nine, and a sign-in may cost little more than its hash. So what the modules
around it do stands in SQL functions of their own (see the migrations), and two more compose them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy import text

from app.access import service as sessions
from app.audit import service as audit
from app.auth import notices
from app.auth.schemas import Level, SignedIn
from app.core.db import transaction
from app.limits import lockout
from app.limits.connections import fetch
from app.limits.service import Claim
from app.users.entrance import Entrance
from app.users.schemas import plain_address

BEGIN: LiteralString = (
    "SELECT * FROM sign_in_begin(%(limit_id)s, %(spacing)s, %(depth)s, %(login)s,"
    " %(lockout)s, %(free)s, %(longest)s, %(address)s, %(user_agent)s,"
    " %(address_id)s, %(address_spacing)s, %(address_depth)s, %(address_wanted)s,"
    " %(strangers)s, %(devices)s, %(born)s)"
)
FINISH: LiteralString = (
    "SELECT sign_in_finish(%(lockout)s, %(verified)s, %(newer)s, %(first)s,"
    " %(session_id)s, %(token)s, %(replaced)s, %(person)s, %(organization)s, %(level)s,"
    " %(method)s, %(second_factor)s, %(factor)s, %(moment)s, %(idle)s, %(lasting)s,"
    " %(address)s, %(user_agent)s, %(device)s,"
    " %(id)s, %(action)s, %(detail)s, %(request_id)s, %(network)s)"
)


@dataclass(frozen=True)
class Browser:
    """Where an attempt comes from."""

    address: str
    user_agent: str
    device: str | None
    """What the cookie of a device holds; behind `begin` only of a known one."""
    replaces: str | None
    """The token of the session that this browser held before."""


@dataclass(frozen=True)
class Account:
    user_id: UUID
    email: str
    display_name: str
    hash: str
    second_factors: tuple[str, ...]
    first: bool
    """The person never signed in before."""
    strange: bool
    """Nor did they from a browser at this place for a day."""
    entrance: Entrance


async def begin(email: str, browser: Browser, claim: Claim) -> tuple[Browser, Account | None]:
    """Count an attempt and look the account up; it has failed until `finish`.

    The browser comes back without its device when that is not known, as `lockout.known` has it.
    Raises `RateLimited`, then not even the lockout counts it, or `LockedOut`.
    """
    device = lockout.presented(email, browser.device)
    if device is None:
        browser = replace(browser, device=None)
    values = lockout.beginning(email, browser.device) | {
        "strangers": lockout.counter(email, None) if device else None,
        **(device or {"devices": None, "born": None}),
        "login": plain_address(email).lower(),
        "address": browser.address[:45],
        "user_agent": browser.user_agent[:200],
    }
    async with claim.asking() as asked:
        with lockout.counted():
            row = await fetch(BEGIN, values | asked)
        assert row is not None
        claim.answered(*row[:3])
    forgotten, wait, user_id, address, name, hashed, kinds, organization_id, *flags = row[3:]
    suspended, allowed, first, strange = flags
    if forgotten:
        browser = replace(browser, device=None)
    if wait:
        raise lockout.LockedOut(retry_after=wait)
    if user_id is None or organization_id is None:
        return browser, None
    found = Entrance(organization_id, suspended, allowed)
    account = Account(user_id, address, name, hashed, tuple(kinds), first, strange, found)
    return browser, account


async def finish(
    account: Account, organization_id: UUID, email: str, browser: Browser, *, newer: str | None
) -> SignedIn | None:
    """The password was right: start the session. None when it was changed meanwhile."""
    level: Level = "pending" if account.second_factors else "full"
    device = lockout.device_name(email, browser.device)
    token, starting = sessions.beginning(
        user_id=account.user_id,
        organization_id=organization_id,
        level=level,
        method="password",
        address=browser.address,
        user_agent=browser.user_agent,
        device=device,
        replaces=browser.replaces,
    )
    event = audit.event(
        "session.started" if level == "full" else "sign-in.password_accepted",
        organization_id=organization_id,
        user_id=account.user_id,
        target=starting["session_id"],
    )
    values = {
        **event,
        **starting,
        "lockout": lockout.counter(email, browser.device),
        "verified": account.hash,
        "newer": newer,
        "first": account.first,
    }
    told = level == "full" and device is None and account.strange and not account.first
    if not await (_finish_with_notice(account, browser, values) if told else _finish(values)):
        return None
    known = lockout.new_device(email) if level == "full" else None
    return SignedIn(token, level, known, account.second_factors)


async def _finish(values: Mapping[str, Any]) -> bool:
    with lockout.counted():
        row = await fetch(FINISH, values)
    return bool(row and row[0])


async def _finish_with_notice(
    account: Account, browser: Browser, values: Mapping[str, Any]
) -> bool:
    """The same together with a mail: there is no session that nobody was told about."""
    async with transaction(elevated=True) as db:
        await notices.new_device(db, account.email, account.display_name, browser.user_agent)
        if await db.scalar(_FINISH_IN_TRANSACTION, values):
            return True
        await db.rollback()
    return False


_FINISH_IN_TRANSACTION = text(FINISH.replace("%(", ":").replace(")s", ""))
