"""Loaded by schemathesis: a new credential of the wanted kind every second, whatever it has lost.

Some calls end the session that makes them, or take the account away.
"""

import asyncio
import os
from contextlib import AbstractAsyncContextManager

import schemathesis
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import service as sessions
from app.access.forgery import SESSION_COOKIE
from app.access.person import Person, identify_alone
from app.auth.dependencies import SIGN_IN_RATE
from app.core import db
from app.core.crypto import keyed_digest
from app.limits.service import Claim
from tests.factories import Someone, make_organization, make_user

BEARERS = ("key", "token", "directory")
"""Kinds of credential beside the session of a person with a role."""


async def credential(kind: str) -> str:
    """What stands in the cookie of a session, or behind `Bearer`."""
    organization = await make_organization()
    await make_user(organization, role="admin", password=False)  # or nobody could leave
    role = "admin" if kind in BEARERS else kind
    someone = await make_user(organization, role=role)
    makers = {"key": _key, "token": _token, "directory": _directory}
    made = await makers.get(kind, _session)(someone)
    await db.close()
    return made


async def _session(someone: Someone) -> str:
    async with db.transaction(elevated=True) as session:
        token, _ = await sessions.start(
            session,
            user_id=someone.user_id,
            organization_id=someone.organization_id,
            level="full",
            second_factor=True,
            method="password",
        )
    return token


async def _key(someone: Someone) -> str:
    """One with every scope that a key can have."""
    from app.api_keys import service

    person = await _person(someone)
    scopes = service.offered(person)
    async with _work(person) as session:
        return (await service.create(session, person, "contract", scopes, days=1)).secret


async def _token(someone: Someone) -> str:
    from app.tokens import service

    claim = Claim(f"contract:{someone.user_id}", SIGN_IN_RATE)
    issued = await service.begin(
        someone.email, someone.password, claim, device="contract", address="10.0.0.1"
    )
    return issued.access_token


async def _directory(someone: Someone) -> str:
    from app.scim import tokens

    person = await _person(someone)
    async with _work(person) as session:
        return await tokens.make(session, person)


async def _person(someone: Someone) -> Person:
    found = await identify_alone(await _session(someone))
    assert found
    return found


def _work(person: Person) -> AbstractAsyncContextManager[AsyncSession]:
    return db.transaction(organization_id=person.organization_id, user_id=person.user_id)


def headers(kind: str, made: str) -> dict[str, str]:
    if kind in BEARERS:
        return {"Authorization": f"Bearer {made}"}
    return {
        "Cookie": f"{SESSION_COOKIE}={made}",
        "X-CSRF-Token": keyed_digest(made, "csrf session").hex(),
    }


@schemathesis.auth(refresh_interval=1)
class SignedIn:
    def get(self, case, context):
        return asyncio.run(credential(os.environ["CONTRACT_AS"]))

    def set(self, case, made, context):
        case.headers = case.headers or {}
        case.headers.update(headers(os.environ["CONTRACT_AS"], made))
