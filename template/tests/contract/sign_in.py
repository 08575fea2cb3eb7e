"""Loaded by schemathesis: a new person of the wanted role every second, whatever they have lost.

Some calls end the session that makes them, or take the account away.
"""

import asyncio
import os

import schemathesis

from app.access import service as sessions
from app.access.forgery import SESSION_COOKIE
from app.core import db
from app.core.crypto import keyed_digest
from tests.factories import make_organization, make_user


async def _session(role):
    organization = await make_organization()
    await make_user(organization, role="admin", password=False)  # or nobody could leave
    someone = await make_user(organization, role=role)
    async with db.transaction(elevated=True) as session:
        token, _ = await sessions.start(
            session,
            user_id=someone.user_id,
            organization_id=someone.organization_id,
            level="full",
            second_factor=True,
            method="password",
        )
    await db.close()
    return token


@schemathesis.auth(refresh_interval=1)
class SignedIn:
    def get(self, case, context):
        return asyncio.run(_session(os.environ["CONTRACT_ROLE"]))

    def set(self, case, token, context):
        case.headers = case.headers or {}
        case.headers["Cookie"] = f"{SESSION_COOKIE}={token}"
        case.headers["X-CSRF-Token"] = keyed_digest(token, "csrf session").hex()
