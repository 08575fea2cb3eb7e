from uuid import UUID

import httpx2
import pytest

from tests.factories import Someone, make_user, sign_in
from tests.usage.conftest import Till, person_of


async def call_of(someone: Someone) -> UUID:
    """A model call that someone made."""
    till = Till(person_of(someone))
    reservation = await till.reserve()
    await till.settle(reservation)
    return reservation.call_id


@pytest.fixture
async def said(client: httpx2.AsyncClient) -> tuple[UUID, Someone]:
    """A reviewer who is signed in, and what a member said of three answers."""
    member = await make_user(display_name="Grace Hopper", password=False)
    await sign_in(client, member)
    for rating in ("up", "down", "down"):
        call = await call_of(member)
        words = {"comment": "Not so.", "correction": "<b>Thirty days.</b>"}
        given = {"rating": rating} | (words if rating == "down" else {})
        assert (await client.put(f"/api/feedback/{call}", json=given)).status_code == 200
    stranger = await make_user(password=False)
    await sign_in(client, stranger)
    await client.put(f"/api/feedback/{await call_of(stranger)}", json={"rating": "down"})
    await sign_in(client, await make_user(member.organization_id, role="reviewer"))
    return call, member
