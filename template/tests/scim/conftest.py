from collections.abc import Awaitable, Callable

import httpx2
import pytest

from app.core.clock import now
from app.core.crypto import digest, new_token
from app.core.db import transaction
from app.scim.models import ScimToken
from app.scim.tokens import LIFETIME, PREFIX
from tests.auth.conftest import mails_to as mails_to
from tests.factories import Someone, make_user
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser


@pytest.fixture
async def admin() -> Someone:
    return await make_user(role="admin")


Directory = Callable[..., Awaitable[httpx2.Response]]


async def make_token(organization_id, **values) -> str:
    token = PREFIX + new_token()
    given = {"expires_at": now() + LIFETIME} | values
    async with transaction(elevated=True) as db:
        db.add(ScimToken(organization_id=organization_id, digest=digest(token), **given))
    return token


@pytest.fixture
async def token(admin) -> str:
    return await make_token(admin.organization_id)


@pytest.fixture
def directory(client, token) -> Directory:
    """What the organisation's directory sends."""

    async def send(method: str, path: str, content=None, *, by: str = token, **more):
        return await client.request(
            method,
            f"/scim/v2{path}",
            json=content,
            headers={"Authorization": f"Bearer {by}", "Accept": "application/scim+json"},
            **more,
        )

    return send
