"""Who asks, from where, how often: shared by endpoints and pages, so both have one budget."""

from typing import Annotated, TypedDict

from fastapi import Request

from app.access.access import allow, allow_detached
from app.access.forgery import SESSION_COOKIE
from app.access.person import Person, identify
from app.core.db import transaction
from app.limits.addresses import client_address
from app.limits.dependencies import claimed, limited
from app.limits.lockout import DEVICE_COOKIE
from app.limits.service import Claim, Rate

Self = Annotated[Person, allow("account.manage", policy=False)]
# Hashing and mail take their time: no transaction is held meanwhile.
SelfDetached = Annotated[Person, allow_detached("account.manage", policy=False)]
ProvenSelf = Annotated[Person, allow_detached("account.manage", recent=True, policy=False)]
# Whoever stands half-way can leave, too.
Leaving = Annotated[Person, allow("account.manage", level="any", policy=False, impersonated=True)]
Pending = Annotated[Person, allow_detached("account.manage", level="pending", policy=False)]

SIGN_UPS = limited("sign-up", Rate(20, 3600, strict=True))
# A class of thirty at one address signs in at nine, some of them twice. Who tries the passwords of
# others is seen and slowed long before, by what fails: `app.abuse`.
SIGN_IN_RATE = Rate(120, 300, strict=True)
SIGN_INS = limited("sign-in", SIGN_IN_RATE)
# The same for a password, whose first statement takes it.
Attempt = Annotated[Claim, claimed("sign-in", SIGN_IN_RATE)]
RESETS = limited("reset", Rate(20, 3600, strict=True))
LINKS = limited("link", Rate(30, 300, strict=True))


class From(TypedDict):
    """What a new session is to know about the browser, and the session that it takes over from."""

    address: str
    user_agent: str
    device: str | None
    replaces: str | None


def where_from(request: Request) -> From:
    return From(
        address=client_address(request.scope),
        user_agent=request.headers.get("user-agent", ""),
        device=request.cookies.get(DEVICE_COOKIE),
        replaces=request.cookies.get(SESSION_COOKIE),
    )


async def visitor(request: Request) -> Person | None:
    """Who looks at a public page, if a session lives; no query for strangers."""
    if not (token := request.cookies.get(SESSION_COOKIE)):
        return None
    async with transaction() as db:
        return await identify(db, token)
