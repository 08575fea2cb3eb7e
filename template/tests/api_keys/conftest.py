"""People with keys, and programs that hold one."""

import pytest

from tests.conftest import new_client
from tests.factories import make_user, sign_in
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser


class Program:
    """Calls the API with a key, from an address of its own."""

    def __init__(self, client, secret):
        self.client, self.secret = client, secret
        self.headers = {"Authorization": f"Bearer {secret}"}

    async def get(self, path, **more):
        return await self.client.get(path, headers=self.headers, **more)

    async def status(self, path="/api/usage"):
        return (await self.get(path)).status_code


@pytest.fixture
async def ada(client):
    """The client is signed in as an administrator."""
    admin = await make_user(role="admin")
    await sign_in(client, admin)
    return admin


@pytest.fixture
async def outside(app):
    """What is no browser: no cookies, no fetch metadata."""
    async with new_client(app) as made:
        del made.headers["Sec-Fetch-Site"]
        yield made


@pytest.fixture
def make_key(client, outside):
    """A key of whoever the client is signed in as, made over the API."""

    async def make(*scopes, **values):
        wanted = {"name": "Nightly export", "scopes": scopes or ("usage.read_own",)} | values
        made = await client.post("/api/keys", json=wanted)
        assert made.status_code == 201, made.text
        program = Program(outside, made.json()["secret"])
        program.id = made.json()["id"]
        return program

    return make
