from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from app.core import db
from tests.auth.conftest import mails_to as mails_to
from tests.factories import PASSWORD, Someone, make_user, sign_in
from tests.leftovers import no_old_jobs as no_old_jobs
from tests.pages import browser as browser
from tests.passkeys.soft_authenticator import SoftAuthenticator


@dataclass
class Owner:
    """Someone with a browser and an authenticator, going through the API."""

    client: httpx2.AsyncClient
    someone: Someone
    authenticator: SoftAuthenticator = field(default_factory=SoftAuthenticator)

    async def options(self, purpose: str = "") -> dict[str, Any]:
        path = f"/api/passkeys/{purpose}/options" if purpose else "/api/passkeys/options"
        answer = await self.client.post(path)
        assert answer.status_code == 200, answer.text
        return answer.json()["publicKey"]

    async def add(self, name: str = "Laptop", **wrong: Any) -> httpx2.Response:
        made = self.authenticator.create(await self.options(), **wrong)
        return self.keep(
            await self.client.post("/api/passkeys", json={"name": name, "credential": made})
        )

    async def use(self, purpose: str, **wrong: Any) -> httpx2.Response:
        """Ask for options, sign them and send the answer."""
        made = self.authenticator.get(await self.options(purpose), **wrong)
        return await self.send(purpose, made)

    async def send(self, purpose: str, made: dict[str, Any]) -> httpx2.Response:
        return self.keep(
            await self.client.post(f"/api/passkeys/{purpose}", json={"credential": made})
        )

    def keep(self, answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success and (token := answer.json().get("csrf_token")):
            self.client.headers["X-CSRF-Token"] = token
        return answer

    async def leave(self) -> None:
        """A browser that nobody is signed in with."""
        self.client.cookies.clear()
        token = (await self.client.get("/api/auth/session")).headers["X-CSRF-Token"]
        self.client.headers["X-CSRF-Token"] = token

    async def give_password(self) -> httpx2.Response:
        await self.leave()
        form = {"email": self.someone.email, "password": PASSWORD}
        return self.keep(await self.client.post("/api/auth/sign-in", json=form))


async def new_owner(client: httpx2.AsyncClient, **values: Any) -> Owner:
    """A person who is signed in and has added a passkey."""
    someone = await make_user(**values)
    owner = Owner(await sign_in(client, someone), someone)
    added = await owner.add()
    assert added.status_code == 201, added.text
    return owner


@pytest.fixture
async def owner(client: httpx2.AsyncClient) -> Owner:
    return await new_owner(client)


async def run(statement: str, **values: object) -> Any:
    async with db.transaction(elevated=True) as session:
        return await session.execute(text(statement), values)


async def let_proof_age(someone: Someone) -> None:
    await run(
        "UPDATE sessions SET authenticated_at = now() - interval '1 h' WHERE user_id = :u",
        u=someone.user_id,
    )


async def audited(someone: Someone) -> list[str]:
    async with db.transaction(organization_id=someone.organization_id) as session:
        found = await session.scalars(text("SELECT action FROM audit_events ORDER BY sequence"))
        return list(found)
